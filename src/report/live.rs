//! A terminal that somebody watches: what has happened scrolls by, and below it stands, drawn anew each second, what is at
//! work now.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::board::Board;
use crate::runner::Entry;

/// Without news, this often.
const TICK: Duration = Duration::from_secs(1);
/// With news, not more often.
const PAUSE: Duration = Duration::from_millis(100);

/// The width and the height of a terminal.
pub(super) type Size = fn() -> (usize, usize);

/// What is shown of a run at work.
#[derive(Debug)]
pub(super) struct Live {
    shared: Arc<Shared>,
    drawing: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    bar: ProgressBar,
    size: Size,
    colour: bool,
    showing: Mutex<Showing>,
    news: Condvar,
}

#[derive(Debug)]
struct Showing {
    board: Board,
    /// The time of the last event, in seconds since the run began, and that moment.
    clock: (f64, Instant),
    /// Lines that stay, and are not on the screen yet: drawing takes longer than many a step.
    lines: Vec<String>,
    fresh: bool,
    over: bool,
}

impl Live {
    pub(super) fn new(target: ProgressDrawTarget, size: Size, colour: bool) -> Self {
        let bar = ProgressBar::with_draw_target(None, target);
        // One that cannot be parsed would show another form of the same.
        bar.set_style(ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_spinner()));
        let clock = (0.0, Instant::now());
        let showing =
            Mutex::new(Showing { board: Board::default(), clock, lines: Vec::new(), fresh: false, over: false });
        let shared = Arc::new(Shared { bar, size, colour, showing, news: Condvar::new() });
        let drawer = Arc::clone(&shared);
        // Without it nothing is drawn, and all the rest is as it should be.
        let drawing = std::thread::Builder::new().name("progress".to_owned()).spawn(move || drawer.work()).ok();
        Self { shared, drawing }
    }

    /// Takes the next event.
    pub(super) fn take(&self, entry: &Entry) {
        let mut showing = self.shared.lock();
        showing.board.take(entry);
        showing.clock = (entry.at, Instant::now());
        showing.fresh = true;
        self.shared.news.notify_one();
    }

    /// Writes lines that stay, above what is at work.
    pub(super) fn print(&self, lines: String) {
        self.shared.lock().lines.push(lines);
        self.shared.news.notify_one();
    }

    /// Ends the drawing; what is at work is gone from the screen.
    pub(super) fn close(&mut self) {
        self.shared.lock().over = true;
        self.shared.news.notify_one();
        if let Some(drawing) = self.drawing.take() {
            let _ = drawing.join();
        }
        self.shared.print(&mut self.shared.lock());
        self.shared.bar.finish_and_clear();
    }

    #[cfg(test)]
    fn draw_at(&self, now: f64) {
        self.shared.lock().clock = (now, Instant::now());
        self.shared.draw(&mut self.shared.lock());
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.close();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Showing> {
        self.showing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        loop {
            let quiet = |showing: &mut Showing| !showing.fresh && showing.lines.is_empty() && !showing.over;
            let waited = self.news.wait_timeout_while(self.lock(), TICK, quiet);
            let (mut showing, _) = waited.unwrap_or_else(PoisonError::into_inner);
            if showing.over {
                return;
            }
            showing.fresh = false;
            self.draw(&mut showing);
            drop(self.news.wait_timeout_while(showing, PAUSE, |showing| !showing.over));
        }
    }

    fn print(&self, showing: &mut Showing) {
        let lines = std::mem::take(&mut showing.lines);
        if !lines.is_empty() {
            self.bar.println(lines.join("\n"));
        }
    }

    fn draw(&self, showing: &mut Showing) {
        self.print(showing);
        let (at, since) = showing.clock;
        let lines = showing.board.lines(at + since.elapsed().as_secs_f64(), (self.size)());
        let text = lines.join("\n");
        let text = if self.colour { text } else { anstream::adapter::strip_str(&text).to_string() };
        self.bar.set_message(text);
        self.bar.tick();
    }
}

/// The size of the terminal that standard output is.
pub(super) fn size() -> (usize, usize) {
    let known = terminal_size::terminal_size_of(std::io::stdout());
    known.map_or((80, 24), |(width, height)| (width.0.into(), height.0.into()))
}

#[cfg(test)]
mod tests {
    use indicatif::InMemoryTerm;

    use super::super::board::tests::entries;
    use super::*;

    fn live(terminal: &InMemoryTerm, size: Size, colour: bool) -> Live {
        let target = ProgressDrawTarget::term_like(Box::new(terminal.clone()));
        let live = Live::new(target, size, colour);
        entries().iter().for_each(|entry| live.take(entry));
        live
    }

    #[test]
    fn what_stays_is_above_what_is_at_work_and_that_goes() {
        let terminal = InMemoryTerm::new(8, 70);
        let mut live = live(&terminal, || (70, 8), false);
        live.draw_at(20.0);
        live.print("demo-pg15  success\ndemo-pg16  failure".to_owned());
        live.draw_at(21.0);
        let screen = terminal.contents();
        let lines: Vec<&str> = screen.lines().collect();
        assert_eq!(lines[..2], ["demo-pg15  success", "demo-pg16  failure"], "{screen}");
        assert!(lines[2].starts_with("sale  install-modules-test (5 of 7)  12s"), "{screen}");
        assert_eq!(lines[5..], ["1 done, 1 failed, 3 at work, 1 left; 21s of about 2m 01s"], "{screen}");
        live.print("sale  success".to_owned());
        live.close();
        assert_eq!(terminal.contents(), "demo-pg15  success\ndemo-pg16  failure\nsale  success");
    }

    #[test]
    fn a_low_terminal_is_not_overflown() {
        let terminal = InMemoryTerm::new(4, 40);
        let live = live(&terminal, || (40, 4), false);
        for number in 0..20 {
            live.print(format!("line {number}"));
            live.draw_at(20.0 + f64::from(number));
        }
        let screen = terminal.contents();
        let lines: Vec<&str> = screen.lines().collect();
        assert_eq!(lines.len(), 4, "{screen}");
        assert_eq!(lines[0], "line 19", "{screen}");
        assert_eq!(lines[2], "… and 2 more at work", "{screen}");
        drop(live);
    }

    #[test]
    fn colours_can_be_left_out() {
        let moves = |colour| {
            let terminal = InMemoryTerm::new(8, 70);
            let live = live(&terminal, || (70, 8), colour);
            live.draw_at(20.0);
            drop(live);
            terminal.moves_since_last_check()
        };
        assert!(moves(true).contains("\\u{1b}[2m"), "{}", moves(true));
        assert!(!moves(false).contains("\\u{1b}"), "{}", moves(false));
    }
}
