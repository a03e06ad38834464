//! Servers of repositories on this machine. In: a directory, or what serves it. Out: a port that answers, until the end of the test.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::common::{as_step_user, eventually};

/// What stands in for ssh logs how it is called, and does here what it is to do there.
pub const SSH: &str = r#"#!/bin/sh
echo "$*" >> "${0%/*}/calls"
case $* in *" -V") exec echo OpenSSH_9.9 ;; esac
while :; do
    case $1 in
    -[lop]) shift 2 ;;
    -*) shift ;;
    *) break ;;
    esac
done
shift
exec sh -c "$*"
"#;

/// Given [`SSH`], it makes that program in the working directory, and a `bzr`, as Bazaar's clients call theirs on the other side.
pub const MAKE_SSH: &str = "printf %s \"$0\" > ssh && chmod 755 ssh && ln -s \"$(command -v brz)\" bzr";

/// A server of this machine, gone when it is dropped.
pub struct Server(Child);

impl Server {
    /// Starts it, and waits until it answers at the port that `command` is given.
    pub fn start(command: impl FnOnce(u16) -> Command) -> (Self, u16) {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = command(port);
        let server = Self(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        eventually("the server answers", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        (server, port)
    }

    /// One that hands out the files of a directory.
    pub fn files(directory: &Path) -> (Self, u16) {
        Self::start(|port| {
            let mut python = as_step_user("/usr/bin/python3");
            python.args(["-m", "http.server", "--bind", "127.0.0.1", &port.to_string()]).current_dir(directory);
            python
        })
    }

    /// One for a Mercurial repository.
    pub fn hgweb(repository: &Path, home: &Path) -> (Self, u16) {
        Self::start(|port| {
            let mut hg = as_step_user("hg");
            hg.args(["serve", "--address", "127.0.0.1", "--port", &port.to_string()]).current_dir(repository);
            hg.env("HGRCPATH", "").env("HOME", home);
            hg
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
