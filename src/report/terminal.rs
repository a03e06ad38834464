//! Events of a run in, text for a person who watches, or for the log of whatever called farmout, out. What is said is
//! [`super::telling`]'s; here is how it is laid out, for each kind of reader.

use std::collections::{HashMap, HashSet};
use std::io::Write;

use indicatif::ProgressDrawTarget;
use jiff::Timestamp;

use super::Style;
use super::groups::Groups;
use super::layout::{Named, in_sequence};
use super::live::{Live, size};
use super::output::Output;
use super::telling::{Line, Part, Teller};
use crate::runner::{Entry, Event, Outcome};

/// How much is said, and to whom.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Manner {
    /// All output is shown as it comes, each line with its builder.
    pub verbose: bool,
    /// Colours are shown.
    pub colour: bool,
    /// Who reads it.
    pub style: Style,
}

/// Reports a run in text.
///
/// What cannot be written is left unwritten: a closed terminal is no reason to end a run.
#[derive(Debug)]
pub struct Terminal<W: Write> {
    output: Output<W>,
    manner: Manner,
    teller: Teller,
    layout: Layout,
    last: Timestamp,
}

#[derive(Debug)]
enum Layout {
    Sequence,
    Named(Named),
    Groups(Groups),
    Live(Live, Scroll),
}

impl<W: Write> Terminal<W> {
    /// Reports to `out`, which is standard output where somebody watches.
    pub fn new(out: W, manner: Manner) -> Self {
        let layout = match manner.style {
            Style::Live => {
                let live = Live::new(ProgressDrawTarget::stdout(), size, manner.colour);
                Layout::Live(live, Scroll::default())
            }
            Style::Plain | Style::GitHub | Style::GitLab => Layout::Sequence,
        };
        let output = Output::new(out, manner.colour, manner.style);
        let (teller, last) = (Teller::new(manner.verbose), Timestamp::UNIX_EPOCH);
        Self { output, manner, teller, layout, last }
    }

    /// Takes the next event.
    pub fn observe(&mut self, entry: &Entry) {
        if let Event::RunStarted { jobs, builders, .. } = &entry.event {
            let named = Named::new(builders.iter().map(|planned| planned.builder.as_str()));
            let several = *jobs > 1 && builders.len() > 1;
            match (&mut self.layout, self.manner.style) {
                (Layout::Live(_, scroll), _) if several => *scroll = Scroll::new(named, self.manner.verbose),
                (layout, style @ (Style::GitHub | Style::GitLab)) => {
                    *layout = Layout::Groups(Groups::new(style, several));
                }
                (layout @ Layout::Sequence, _) if several => *layout = Layout::Named(named),
                _ => {}
            }
        }
        if matches!(entry.event, Event::RunFinished { .. }) {
            self.finish_layout();
        }
        self.last = entry.time;
        let lines = self.teller.tell(entry);
        match &mut self.layout {
            Layout::Groups(groups) => groups.lay(entry, &lines, &mut self.output),
            Layout::Live(live, scroll) => {
                live.take(entry);
                let lines: Vec<_> = lines.into_iter().flat_map(|line| scroll.lay(line, entry)).collect();
                if !lines.is_empty() {
                    live.print(self.output.fit(&lines.join("\n")));
                }
            }
            Layout::Sequence => {
                self.output.lines(&lines.iter().filter_map(in_sequence).collect::<Vec<_>>());
            }
            Layout::Named(named) => {
                self.output.lines(&lines.iter().map(|line| named.line(line)).collect::<Vec<_>>());
            }
        }
        self.output.flush();
    }

    /// Ends the report of a run that has not ended, because somebody is at work on it, or because its runner was killed.
    pub fn unfinished(&mut self, at_work: bool) {
        self.finish_layout();
        for line in self.teller.unfinished(at_work) {
            self.output.line(&line.text);
        }
        self.output.flush();
    }

    /// What follows is about the run, and plain.
    fn finish_layout(&mut self) {
        match &mut self.layout {
            Layout::Groups(groups) => groups.close(self.last.as_second(), &mut self.output),
            Layout::Live(live, _) => live.close(),
            Layout::Sequence | Layout::Named(_) => return,
        }
        self.layout = Layout::Sequence;
    }
}

impl<W: Write> Drop for Terminal<W> {
    fn drop(&mut self) {
        self.finish_layout();
        self.output.flush();
    }
}

/// What scrolls by above the builders at work: where there is one at a time, all that it did; where there are several, a line
/// for each that went well, and all of those that did not.
#[derive(Debug, Default)]
struct Scroll {
    /// None where there is one at a time.
    named: Option<Named>,
    /// All is shown, whatever comes of it.
    all: bool,
    /// The lines of builders of which nothing bad is known.
    held: HashMap<String, Vec<Line>>,
    bad: HashSet<String>,
}

impl Scroll {
    fn new(named: Named, all: bool) -> Self {
        Self { named: Some(named), all, held: HashMap::new(), bad: HashSet::new() }
    }

    fn lay(&mut self, line: Line, entry: &Entry) -> Vec<String> {
        // Who is at work is to be seen below.
        if line.part == Part::Begun {
            return Vec::new();
        }
        let Some(named) = self.named else { return in_sequence(&line).into_iter().collect() };
        let Some(builder) = line.builder.clone().filter(|_| !self.all) else { return vec![named.line(&line)] };
        if is_bad(&entry.event) {
            self.bad.insert(builder.clone());
        }
        let mut lines = Vec::new();
        if self.bad.contains(&builder) {
            lines = self.held.remove(&builder).unwrap_or_default();
            lines.push(line);
        } else if matches!(line.part, Part::Note | Part::End) {
            lines.push(line);
        } else {
            self.held.entry(builder.clone()).or_default().push(line);
        }
        if matches!(entry.event, Event::BuilderFinished { .. }) {
            self.held.remove(&builder);
        }
        lines.iter().map(|line| named.line(line)).collect()
    }
}

fn is_bad(event: &Event) -> bool {
    match event {
        Event::StepFinished { result, .. } => !matches!(result.outcome, Outcome::Success | Outcome::Skipped),
        Event::BuilderFinished { outcome, .. } => !matches!(outcome, Outcome::Success | Outcome::Skipped),
        _ => false,
    }
}
