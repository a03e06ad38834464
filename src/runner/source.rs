//! One output of a command: a pipe in, its bytes out as they come, without waiting for any.

use std::io::{self, PipeReader, Read as _};
use std::os::fd::{AsFd as _, BorrowedFd};

use nix::fcntl::{FcntlArg, OFlag, fcntl};

use super::event::Stream;

/// An output of which as much is there at once is one of many bytes: half of what the kernel keeps until it is read.
const PLENTY: usize = 32 * 1024;
/// What the kernel keeps of such an output, where it lets us choose. More would be of little use, and what a user's pipes
/// hold together is limited.
const PIPE: i32 = 256 * 1024;

/// One of the command's outputs, until it is closed.
pub(super) struct Source {
    pub(super) stream: Stream,
    pipe: Option<PipeReader>,
    /// Whether the kernel was asked for more room.
    large: bool,
}

impl Source {
    /// A new one, and its end for the command.
    pub(super) fn new(stream: Stream) -> io::Result<(Self, io::PipeWriter)> {
        let (pipe, end) = io::pipe()?;
        fcntl(&pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        Ok((Self { stream, pipe: Some(pipe), large: false }, end))
    }

    /// How many bytes were there: none may mean nothing yet, or never again.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> usize {
        let Some(pipe) = &mut self.pipe else { return 0 };
        match pipe.read(buffer) {
            Ok(0) => self.pipe = None,
            Ok(count) => {
                if count >= PLENTY && !self.large {
                    // A smaller one does too, if the user has many already.
                    let _ = fcntl(&*pipe, FcntlArg::F_SETPIPE_SZ(PIPE));
                    self.large = true;
                }
                return count;
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Err(_) => self.pipe = None,
        }
        0
    }

    pub(super) fn file(&self) -> Option<BorrowedFd<'_>> {
        self.pipe.as_ref().map(|pipe| pipe.as_fd())
    }
}
