//! Signals in, a count out: how often the user or the system asked this process to stop, and a way to sleep that such
//! a request, or the end of a child, cuts short. Nothing here ends anything.

use std::io::{self, Read as _};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use signal_hook::SigId;
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM};

/// Listens to `SIGINT`, `SIGTERM` and `SIGHUP` for as long as it lives.
#[derive(Debug)]
pub(super) struct Interrupts {
    requests: UnixStream,
    children: UnixStream,
    handlers: Vec<SigId>,
    count: AtomicUsize,
}

impl Interrupts {
    /// Starts to listen. A signal that the process was started to ignore (`nohup`, `&` in a script) stays ignored.
    pub(super) fn listen() -> io::Result<Self> {
        let (requests, request) = UnixStream::pair()?;
        let (children, child) = UnixStream::pair()?;
        requests.set_nonblocking(true)?;
        children.set_nonblocking(true)?;
        let mut interrupts = Self { requests, children, handlers: Vec::new(), count: AtomicUsize::new(0) };
        let ignored = ignored_signals();
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            if ignored & (1 << (signal - 1)) == 0 {
                interrupts.handlers.push(signal_hook::low_level::pipe::register(signal, request.try_clone()?)?);
            }
        }
        interrupts.handlers.push(signal_hook::low_level::pipe::register(SIGCHLD, child)?);
        Ok(interrupts)
    }

    /// How often the process was asked to stop so far.
    pub(super) fn count(&self) -> usize {
        // The handler writes one byte a signal.
        let new = drain(&self.requests);
        self.count.fetch_add(new, Ordering::Relaxed) + new
    }

    /// Sleeps until one of `files` can be read, a signal comes, or the time is over.
    pub(super) fn sleep(&self, files: &[BorrowedFd<'_>], time: Duration) -> io::Result<()> {
        let wake = [self.requests.as_fd(), self.children.as_fd()];
        let mut polled: Vec<PollFd<'_>> =
            wake.iter().chain(files).map(|&file| PollFd::new(file, PollFlags::POLLIN)).collect();
        // Rounded up, or the last fraction of a millisecond would be spent in a busy loop.
        let milliseconds = u16::try_from(time.as_micros().div_ceil(1000)).unwrap_or(u16::MAX);
        match poll(&mut polled, PollTimeout::from(milliseconds)) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        drain(&self.children);
        Ok(())
    }

    /// Sleeps for `time`, or until the count reaches `patience`.
    pub(super) fn pause(&self, time: Duration, patience: usize) -> io::Result<()> {
        let end = Instant::now() + time;
        while self.count() < patience {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            self.sleep(&[], left)?;
        }
        Ok(())
    }
}

impl Drop for Interrupts {
    fn drop(&mut self) {
        for handler in self.handlers.drain(..) {
            signal_hook::low_level::unregister(handler);
        }
    }
}

/// Empties the pipe and tells how many bytes were in it.
fn drain(mut pipe: &UnixStream) -> usize {
    let (mut total, mut buffer) = (0, [0; 64]);
    while let Ok(count @ 1..) = pipe.read(&mut buffer) {
        total += count;
    }
    total
}

/// The signals that this process ignores, as a mask. Where the kernel does not tell, none.
fn ignored_signals() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}
