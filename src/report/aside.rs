//! Events of a run in, the same events, in their order, to a reporter in a thread of its own: whoever tells of them does not
//! wait for a terminal that was stopped, or for a pipe that nobody reads. It knows nothing of what is reported, or where to.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use indexmap::IndexMap;

use crate::runner::{Entry, Event, Stream};

/// As much output waits to be reported; more is waited for, as long as any is taken.
const MOST: usize = 4 << 20;
/// A reporter that has taken nothing for so long is stuck: output that comes on top is not reported, and nobody waits.
const STUCK: Duration = Duration::from_secs(1);
/// Between the first event after a silence and its report: those that follow are reported with it. Waking a thread for each
/// would cost more than a short step does.
const GATHER: Duration = Duration::from_millis(10);
/// Between two looks whether to wait no longer.
const GLANCE: Duration = Duration::from_millis(50);

/// A reporter beside the run. It is to be ended with [`Self::finish`].
#[derive(Debug)]
pub struct Aside {
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    /// There is something to report, or will be no more.
    news: Condvar,
    /// Something was taken, or the reporter has ended.
    taken: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    entries: VecDeque<Entry>,
    /// How many bytes of output are among them.
    bytes: usize,
    /// How many entries were taken so far.
    taken: u64,
    stuck: bool,
    /// The reporter sleeps until it is woken.
    asleep: bool,
    /// How many bytes were left out since, of which outputs.
    left_out: IndexMap<(String, String, Stream), usize>,
    /// No more will come.
    over: bool,
    /// The reporter has ended.
    ended: bool,
}

impl Aside {
    /// Begins to report.
    ///
    /// # Errors
    /// The system has no more threads.
    pub fn start(mut report: impl FnMut(&Entry) + Send + 'static) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let ending = Ending(Arc::clone(&shared));
        let work = move || {
            let ending = ending;
            while let Some(entry) = ending.0.next() {
                report(&entry);
            }
            // What it still has to say is part of it.
            drop(report);
        };
        let thread = std::thread::Builder::new().name("report".to_owned()).spawn(work)?;
        Ok(Self { shared, thread })
    }

    /// Takes the next event. Only for output does it wait, and for that only while some of it is taken.
    pub fn observe(&self, entry: &Entry) {
        let mut waiting = self.shared.lock();
        if waiting.ended {
            return;
        }
        if let Event::Output { builder, step, stream, bytes } = &entry.event {
            waiting = self.shared.make_room(waiting, bytes.len());
            if waiting.stuck {
                let key = (builder.clone(), step.clone(), *stream);
                *waiting.left_out.entry(key).or_default() += bytes.len();
                return;
            }
            waiting.bytes += bytes.len();
        }
        waiting.tell_of_left_out(entry);
        waiting.entries.push_back(entry.clone());
        let wake = std::mem::take(&mut waiting.asleep);
        drop(waiting);
        if wake {
            self.shared.news.notify_one();
        }
    }

    /// Waits until all is reported and the reporter is gone, or `give_up` says so, who is asked now and then and told for how
    /// long nothing was taken. Whether all is reported.
    pub fn finish(self, give_up: &dyn Fn(Duration) -> bool) -> bool {
        let mut waiting = self.shared.lock();
        if let Some(last) = waiting.entries.back().cloned() {
            waiting.tell_of_left_out(&last);
        }
        waiting.over = true;
        self.shared.news.notify_one();
        let (mut taken, mut since) = (waiting.taken, Instant::now());
        while !waiting.ended {
            let waited = self.shared.taken.wait_timeout(waiting, GLANCE);
            (waiting, _) = waited.unwrap_or_else(PoisonError::into_inner);
            if waiting.taken > taken {
                (taken, since) = (waiting.taken, Instant::now());
            }
            if !waiting.ended && give_up(since.elapsed()) {
                return false;
            }
        }
        drop(waiting);
        // One that panicked has said so itself.
        let _ = self.thread.join();
        true
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next entry to report; none if no more will come.
    fn next(&self) -> Option<Entry> {
        let mut waiting = self.lock();
        if waiting.entries.is_empty() && !waiting.over {
            waiting.asleep = true;
            let idle = |waiting: &mut Waiting| waiting.entries.is_empty() && !waiting.over;
            waiting = self.news.wait_while(waiting, idle).unwrap_or_else(PoisonError::into_inner);
            let gathering = self.news.wait_timeout_while(waiting, GATHER, |waiting| !waiting.over);
            (waiting, _) = gathering.unwrap_or_else(PoisonError::into_inner);
        }
        let entry = waiting.entries.pop_front()?;
        if let Event::Output { bytes, .. } = &entry.event {
            waiting.bytes = waiting.bytes.saturating_sub(bytes.len());
        }
        waiting.taken += 1;
        waiting.stuck &= waiting.bytes > MOST / 2;
        drop(waiting);
        self.taken.notify_all();
        Some(entry)
    }

    /// Waits until so many bytes of output have room, or the reporter is found to be stuck.
    fn make_room<'a>(&'a self, mut waiting: MutexGuard<'a, Waiting>, bytes: usize) -> MutexGuard<'a, Waiting> {
        let full = |waiting: &Waiting| !waiting.ended && waiting.bytes > 0 && waiting.bytes + bytes > MOST;
        while !waiting.stuck && full(&waiting) {
            let taken = waiting.taken;
            let waited =
                self.taken.wait_timeout_while(waiting, STUCK, |waiting| waiting.taken == taken && full(waiting));
            let timeout;
            (waiting, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            waiting.stuck |= timeout.timed_out();
        }
        waiting
    }
}

impl Waiting {
    /// Says before an entry how much was left out before it.
    fn tell_of_left_out(&mut self, before: &Entry) {
        for ((builder, step, stream), count) in std::mem::take(&mut self.left_out) {
            let text = format!("\n[farmout: {count} bytes are not shown here: they were not read in time]\n");
            let event = Event::Output { builder, step, stream, bytes: text.into_bytes() };
            self.entries.push_back(Entry { event, ..before.clone() });
        }
    }
}

/// Says that the reporter has ended, however it did.
#[derive(Debug)]
struct Ending(Arc<Shared>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.lock().ended = true;
        self.0.taken.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use jiff::Timestamp;

    use super::*;

    fn entry(event: Event) -> Entry {
        Entry { time: Timestamp::UNIX_EPOCH, at: 0.0, event }
    }

    fn output(bytes: &[u8]) -> Entry {
        let (builder, step) = ("b".to_owned(), "s".to_owned());
        entry(Event::Output { builder, step, stream: Stream::Out, bytes: bytes.to_vec() })
    }

    #[test]
    fn whoever_tells_a_reporter_that_is_stuck_does_not_wait_for_it() {
        let (go_on, gate) = mpsc::channel();
        let (tell, told) = mpsc::channel();
        let mut held = true;
        let aside = Aside::start(move |entry: &Entry| {
            if std::mem::take(&mut held) {
                gate.recv().unwrap();
            }
            tell.send(entry.clone()).unwrap();
        });
        let aside = aside.unwrap();
        let began = Instant::now();
        aside.observe(&entry(Event::Interrupted { again: false }));
        let piece = vec![b'x'; 256 * 1024];
        for _ in 0..1000 {
            aside.observe(&output(&piece));
        }
        aside.observe(&entry(Event::Interrupted { again: true }));
        assert!(began.elapsed() < 10 * STUCK, "{:?}", began.elapsed());
        go_on.send(()).unwrap();
        assert!(aside.finish(&|_| false));
        let told: Vec<Event> = told.iter().map(|entry| entry.event).collect();
        let [Event::Interrupted { again: false }, pieces @ .., last, Event::Interrupted { again: true }] = &told[..]
        else {
            panic!("{} events", told.len())
        };
        assert!(pieces.iter().all(|event| *event == output(&piece).event));
        let left_out = (1000 - pieces.len()) * piece.len();
        assert!(pieces.len() >= 15 && pieces.len() * piece.len() <= MOST);
        let text = format!("\n[farmout: {left_out} bytes are not shown here: they were not read in time]\n");
        assert_eq!(*last, output(text.as_bytes()).event);
    }

    #[test]
    fn a_reporter_that_is_slow_loses_nothing() {
        let (tell, told) = mpsc::channel();
        let aside = Aside::start(move |entry: &Entry| {
            std::thread::sleep(Duration::from_millis(1));
            tell.send(entry.clone()).unwrap();
        });
        let aside = aside.unwrap();
        let entries: Vec<Entry> = (0..100).map(|number| output(&vec![number; 256 * 1024])).collect();
        entries.iter().for_each(|entry| aside.observe(entry));
        assert!(aside.finish(&|_| false));
        assert!(told.iter().eq(entries));
    }

    #[test]
    fn a_reporter_that_never_comes_back_is_given_up() {
        let (go_on, gate) = mpsc::channel::<()>();
        let aside = Aside::start(move |_: &Entry| gate.recv().unwrap_or_default()).unwrap();
        aside.observe(&output(b"x"));
        assert!(!aside.finish(&|stalled| stalled > GLANCE));
        drop(go_on);
    }
}
