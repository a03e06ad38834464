//! `farmout listen`.

use std::net::{SocketAddr, ToSocketAddrs as _};

use super::spool::SpoolArguments;
use super::{Exit, given};
use crate::diagnostic::{Failure, plain};
use crate::watch::Spool;
use crate::watch::listen::{Listener, Router};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Where to listen; port 0 is any that is free
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8047")]
    address: String,
    /// What services prove to know: @FILE, or $NAME of the environment (may be repeated, to change a secret: each is enough)
    #[arg(long, value_name = "@FILE|$NAME")]
    secret: Vec<String>,
    #[command(flatten)]
    spool: SpoolArguments,
}

pub(super) fn main(arguments: &Arguments) -> Result<Exit, Failure> {
    let addresses = addresses(&arguments.address)?;
    let secrets = arguments.secret.iter().map(|text| given::secret("--secret", text)).collect::<Result<Vec<_>, _>>()?;
    if secrets.is_empty() && addresses.iter().any(|address| !address.ip().is_loopback()) {
        return Err(Failure::misuse(format!(
            "{} can be reached by other machines, and no secret is given",
            arguments.address
        ))
        .help("add --secret @FILE, with what the services are given as their secret, or listen on 127.0.0.1"));
    }
    let open = |folder| {
        Spool::open(folder).map_err(|error| {
            Failure::misuse(format!("cannot hand anything over to {folder}: {}", plain(&error.to_string())))
                .help("name the farm with --farm, or a folder that this user may write to with --spool")
        })
    };
    let router =
        Router { spools: arguments.spool.folders().iter().map(|it| open(it)).collect::<Result<_, _>>()?, secrets };
    let failed = |error: std::io::Error| {
        Failure::error(format!("cannot listen on {}: {}", arguments.address, plain(&error.to_string())))
    };
    let listener = Listener::bind(&addresses).map_err(failed)?;
    say!("listening on http://{}/", listener.address().map_err(failed)?);
    listener.serve(&router, &|peer, status, line| say!("{peer} {status} {line}")).map_err(failed)?;
    Ok(Exit::Interrupted)
}

fn addresses(text: &str) -> Result<Vec<SocketAddr>, Failure> {
    let wrong = |why: String| Failure::misuse(format!("--address: {why}")).help("write it as 127.0.0.1:8047");
    let addresses: Vec<_> = text.to_socket_addrs().map_err(|error| wrong(plain(&error.to_string())))?.collect();
    if addresses.is_empty() { Err(wrong(format!("`{text}` has no address"))) } else { Ok(addresses) }
}
