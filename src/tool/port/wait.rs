//! Waiting until somebody answers at a port of this machine.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::Error;
use crate::tool::server::Running;

/// Between two tries.
const RETRY: Duration = Duration::from_millis(100);
/// How long one try may take: the machine itself answers or refuses at once, unless it drops packets.
const TRY: Duration = Duration::from_secs(2);

/// What to wait for, and for how long.
#[derive(Debug, Clone)]
pub struct Wait {
    /// The port.
    pub port: u16,
    /// The longest time.
    pub timeout: Duration,
    /// The pid file of the server that should answer: once that has ended there is nothing to wait for.
    pub pid_file: Option<PathBuf>,
    /// The server's log, whose end is shown if it does not answer.
    pub log: Option<PathBuf>,
}

impl Wait {
    /// Waits; how long it took.
    ///
    /// # Errors
    /// Nobody answers, or the server has ended.
    pub fn wait(&self) -> Result<Duration, Error> {
        let began = Instant::now();
        let server = match &self.pid_file {
            Some(pid_file) => Some(
                Running::read(pid_file)?
                    .ok_or_else(|| Error::NotStarted { pid_file: pid_file.display().to_string() })?,
            ),
            None => None,
        };
        let mut tries = 0;
        loop {
            let tried = connect(self.port);
            // Looked at after the try: whoever answered then may be somebody else.
            let alive = server.as_ref().is_none_or(Running::is_alive);
            let (waited, left) = (began.elapsed(), self.timeout.saturating_sub(began.elapsed()));
            tries += 1;
            let shown = server.as_ref().map(Running::to_string);
            match (tried, shown) {
                (Ok(()), _) if alive => return Ok(waited),
                (tried, Some(server)) if !alive => {
                    let answered = tried.is_ok();
                    return Err(Error::Ended { port: self.port, server, answered, waited, log: self.log.clone() });
                }
                (Err(error), server) if left.is_zero() => {
                    return Err(Error::Unanswered {
                        port: self.port,
                        tries,
                        waited,
                        error,
                        server,
                        log: self.log.clone(),
                    });
                }
                _ => std::thread::sleep(RETRY.min(left)),
            }
        }
    }
}

/// Connects to loopback, by both protocols: servers may listen at either. The error is that of the older one.
fn connect(port: u16) -> io::Result<()> {
    let at = |address: IpAddr| TcpStream::connect_timeout(&SocketAddr::new(address, port), TRY).map(drop);
    at(Ipv4Addr::LOCALHOST.into()).or_else(|error| at(Ipv6Addr::LOCALHOST.into()).map_err(|_| error))
}
