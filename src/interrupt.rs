//! Signals in, a count out: how often the user or the system asked this process to stop, and a way to sleep that such
//! a request cuts short. Any number of threads count and sleep at once. Nothing here ends anything.

use std::io::{self, PipeReader, PipeWriter, Read as _};
use std::net::Shutdown;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::libc::c_int;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use signal_hook::SigId;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};

/// What asks a process to stop: the keys of a terminal, its end, and `kill`.
pub(crate) const SIGNALS: [c_int; 4] = [SIGINT, SIGTERM, SIGHUP, SIGQUIT];

/// Listens to [`SIGNALS`] for as long as it lives.
#[derive(Debug)]
pub(crate) struct Interrupts {
    count: Arc<AtomicUsize>,
    /// The writing ends are closed, this one at the first request and that at the second, which wakes all sleepers.
    levels: [PipeReader; 2],
    handlers: Vec<SigId>,
    signals: UnixStream,
    listener: Option<JoinHandle<()>>,
}

impl Interrupts {
    /// Starts to listen. A signal that the process was started to ignore (`nohup`, `&` in a script) stays ignored.
    pub(crate) fn listen() -> io::Result<Self> {
        // What a handler may do is little more than to write a byte; a thread does the rest.
        let (signals, signal) = UnixStream::pair()?;
        let (first, at_first) = io::pipe()?;
        let (second, at_second) = io::pipe()?;
        let count = Arc::new(AtomicUsize::new(0));
        let (heard, counted) = (signals.try_clone()?, Arc::clone(&count));
        let listener = std::thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || count_signals(heard, &counted, [at_first, at_second]))?;
        let (levels, handlers) = ([first, second], Vec::new());
        let mut interrupts = Self { count, levels, handlers, signals, listener: Some(listener) };
        let ignored = ignored_signals();
        for number in SIGNALS {
            if ignored & (1 << (number - 1)) == 0 {
                interrupts.handlers.push(signal_hook::low_level::pipe::register(number, signal.try_clone()?)?);
            }
        }
        Ok(interrupts)
    }

    /// How often the process was asked to stop so far.
    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    /// Sleeps until one of `files` can be read, the time is over if there is one, or there are more requests than
    /// `known`; of a third and later ones nobody is told.
    pub(crate) fn sleep(&self, files: &[BorrowedFd<'_>], time: Option<Duration>, known: usize) -> io::Result<()> {
        let wake = self.levels.get(known).map(|level| level.as_fd());
        let files = files.iter().copied().chain(wake);
        let mut polled: Vec<PollFd<'_>> = files.map(|file| PollFd::new(file, PollFlags::POLLIN)).collect();
        // Rounded up, or the last fraction of a millisecond would be spent in a busy loop. An end that is too far away to be
        // said is no end.
        let timeout = time.and_then(|time| PollTimeout::try_from(time.as_micros().div_ceil(1000)).ok());
        match poll(&mut polled, timeout.unwrap_or(PollTimeout::NONE)) {
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Sleeps for `time`, or until the count reaches `patience`.
    pub(crate) fn pause(&self, time: Duration, patience: usize) -> io::Result<()> {
        let end = Instant::now() + time;
        loop {
            let known = self.count();
            let left = end.saturating_duration_since(Instant::now());
            if known >= patience || left.is_zero() {
                return Ok(());
            }
            self.sleep(&[], Some(left), known)?;
        }
    }
}

impl Drop for Interrupts {
    fn drop(&mut self) {
        for handler in self.handlers.drain(..) {
            signal_hook::low_level::unregister(handler);
        }
        let _ = self.signals.shutdown(Shutdown::Both);
        if let Some(listener) = self.listener.take() {
            let _ = listener.join();
        }
    }
}

/// Within this time signals are one request: timeout(1), for one, sends its signal to a process, and then to its group as well.
const AT_ONCE: Duration = Duration::from_millis(100);

/// Counts the requests until the stream is shut, in which there is a byte for each signal.
fn count_signals(mut signals: UnixStream, count: &AtomicUsize, levels: [PipeWriter; 2]) {
    let mut levels = levels.into_iter();
    let mut buffer = [0; 64];
    let mut last: Option<Instant> = None;
    while let Ok(1..) = signals.read(&mut buffer) {
        let now = Instant::now();
        if last.is_some_and(|last| now - last < AT_ONCE) {
            continue;
        }
        last = Some(now);
        // First the count, then the waking: whoever wakes finds it.
        count.fetch_add(1, Ordering::AcqRel);
        drop(levels.next());
    }
}

/// The signals that this process ignores, as a mask. Where the kernel does not tell, none.
fn ignored_signals() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_wakes_every_sleeper_and_the_second_one_again() {
        let (signals, mut signal) = UnixStream::pair().unwrap();
        let ((first, at_first), (second, at_second)) = (io::pipe().unwrap(), io::pipe().unwrap());
        let count = Arc::new(AtomicUsize::new(0));
        let (heard, counted) = (signals.try_clone().unwrap(), Arc::clone(&count));
        let listener = std::thread::spawn(move || count_signals(heard, &counted, [at_first, at_second]));
        let (levels, listener) = ([first, second], Some(listener));
        let interrupts = Interrupts { count, levels, handlers: Vec::new(), signals, listener };
        let long = Duration::from_secs(60);
        let began = Instant::now();
        std::thread::scope(|scope| {
            let sleepers: Vec<_> = (0..100)
                .map(|number| {
                    let interrupts = &interrupts;
                    scope.spawn(move || interrupts.pause(long, 1 + number % 2).unwrap())
                })
                .collect();
            use io::Write as _;
            // Twice at once is one request.
            signal.write_all(b"xx").unwrap();
            for (number, sleeper) in sleepers.into_iter().enumerate() {
                if number == 1 {
                    assert_eq!(interrupts.count(), 1);
                    std::thread::sleep(AT_ONCE);
                    signal.write_all(b"x").unwrap();
                }
                sleeper.join().unwrap();
            }
        });
        assert_eq!(interrupts.count(), 2);
        assert!(began.elapsed() < long / 2);
        // What is known wakes nobody.
        let began = Instant::now();
        interrupts.sleep(&[], Some(Duration::from_millis(50)), 2).unwrap();
        assert!(began.elapsed() >= Duration::from_millis(50));
    }
}
