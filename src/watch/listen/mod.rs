//! An HTTP server for the pushes that hosting services tell of: connections in, deliveries in spools out, until it is asked to
//! stop.
//!
//! It is made for strangers: the number of threads, the length of a request and the time that it may take are all bounded, and a
//! connection has one request. What a request means is said in `route`. The servers that there are as crates either have
//! no limit for slow clients or need an asynchronous runtime, so what is own here is the reading of one request, of which `httparse`
//! does the parsing.

mod http;
mod route;
mod signature;

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use signal_hook::consts::{SIGINT, SIGTERM};

pub use route::Router;

/// As many requests are read at once.
const WORKERS: usize = 8;
/// As many more connections wait; others are turned away.
const QUEUE: usize = 56;
/// How long a connection may take from its beginning until its request is read.
const REQUEST: Duration = Duration::from_secs(10);
/// How long its answer may take.
const ANSWER: Duration = Duration::from_secs(5);
/// After a connection that could not be taken, such as for want of descriptors.
const BREATH: Duration = Duration::from_millis(100);

/// A server that listens.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
}

/// A connection, and when it began.
type Connection = (TcpStream, IpAddr, Instant);

/// What is told of each request: who sent it, how it was answered, and the answer's line.
pub type Log<'a> = &'a (dyn Fn(IpAddr, u16, &str) + Sync);

impl Listener {
    /// Begins to listen at the first of these addresses that can be had.
    ///
    /// # Errors
    /// None can be had.
    pub fn bind(addresses: &[SocketAddr]) -> io::Result<Self> {
        let socket = TcpListener::bind(addresses)?;
        socket.set_nonblocking(true)?;
        Ok(Self { socket })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// The system does not say.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Answers requests until SIGINT or SIGTERM; those that were begun then are answered still. A second signal ends the process
    /// at once.
    ///
    /// # Errors
    /// The socket or the signals cannot be used.
    pub fn serve(&self, router: &Router, log: Log<'_>) -> io::Result<()> {
        let stop = signals()?;
        let (sender, receiver) = sync_channel::<Connection>(QUEUE);
        let receiver = Mutex::new(receiver);
        std::thread::scope(|scope| {
            for number in 0..WORKERS {
                let builder = std::thread::Builder::new().name(format!("request {number}"));
                builder.spawn_scoped(scope, || work(&receiver, router, log))?;
            }
            // The workers end when the sender is gone.
            let sender = sender;
            while self.wait(&stop)? {
                let (stream, peer) = match self.socket.accept() {
                    Ok(accepted) => accepted,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                    Err(_) => {
                        std::thread::sleep(BREATH);
                        continue;
                    }
                };
                if let Err(TrySendError::Full((mut stream, from, _))) =
                    sender.try_send((stream, peer.ip(), Instant::now()))
                {
                    let line = "too many requests at once";
                    http::answer_at_once(&mut stream, 503, line);
                    log(from, 503, line);
                }
            }
            Ok(())
        })
    }

    /// Sleeps until a connection comes; false if it is time to stop.
    fn wait(&self, stop: &UnixStream) -> io::Result<bool> {
        let mut files =
            [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN), PollFd::new(stop.as_fd(), PollFlags::POLLIN)];
        match poll(&mut files, PollTimeout::NONE) {
            Ok(_) | Err(Errno::EINTR) => Ok(!files[1].any().unwrap_or(false)),
            Err(error) => Err(error.into()),
        }
    }
}

/// What can be read once there was a signal.
fn signals() -> io::Result<UnixStream> {
    let (stop, writer) = UnixStream::pair()?;
    let second = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // In this order: the first signal is not yet the second one.
        signal_hook::flag::register_conditional_shutdown(
            signal,
            crate::cli::Exit::Interrupted as i32,
            Arc::clone(&second),
        )?;
        signal_hook::flag::register(signal, Arc::clone(&second))?;
        signal_hook::low_level::pipe::register(signal, writer.try_clone()?)?;
    }
    Ok(stop)
}

fn work(receiver: &Mutex<Receiver<Connection>>, router: &Router, log: Log<'_>) {
    loop {
        let received = receiver.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((mut stream, peer, began)) = received else { return };
        let (status, line) = match http::read(&mut stream, began + REQUEST) {
            Ok(request) => router.answer(&request),
            Err(http::Refused::Gone) => continue,
            Err(http::Refused::With(status, line)) => (status, line.to_owned()),
        };
        http::answer(&mut stream, status, &line, ANSWER);
        log(peer, status, &line);
    }
}
