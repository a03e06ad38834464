//! Lines that tell of a run in, the log of a CI job out: one group for each builder, which GitHub and GitLab show folded.
//! Groups cannot lie in one another, so the lines of builders that are at work at the same time are kept until theirs ends.

use std::collections::HashMap;
use std::io::{Read as _, Seek as _, Write};
use std::time::Duration;

use tempfile::SpooledTempFile;

use super::layout::alone;
use super::output::Output;
use super::telling::{Line, Part, trouble};
use super::{Style, duration};
use crate::diagnostic::github;
use crate::runner::{Entry, Event, Outcome, StepResult};

/// What of a builder's lines is kept in memory; more is in a temporary file.
const IN_MEMORY: usize = 1 << 20;
/// How many lines of a log an annotation shows: forges cut long ones.
const ANNOTATED: usize = 10;

/// The groups of a run.
#[derive(Debug)]
pub(super) struct Groups {
    style: Style,
    /// Whether at most one builder is at work: its lines are written as they come.
    alone: bool,
    open: HashMap<String, Group>,
}

#[derive(Debug)]
struct Group {
    index: usize,
    title: String,
    /// By the machine's clock, in seconds.
    began: i64,
    /// The lines, with their ends; none where they are written as they come.
    kept: Option<SpooledTempFile>,
    annotations: Vec<String>,
}

impl Groups {
    pub(super) fn new(style: Style, several: bool) -> Self {
        Self { style, alone: !several, open: HashMap::new() }
    }

    /// Lays out the lines of an event.
    pub(super) fn lay<W: Write>(&mut self, entry: &Entry, lines: &[Line], output: &mut Output<W>) {
        if let Event::BuilderStarted { builder, index, total, .. } = &entry.event {
            self.begin(entry, builder, (*index, *total), output);
        }
        for line in lines.iter().filter(|line| line.part != Part::End) {
            let text = alone(line);
            match line.builder.as_ref().and_then(|builder| self.open.get_mut(builder)) {
                // That of its group says it.
                Some(_) if line.part == Part::Head => {}
                Some(Group { kept: Some(kept), .. }) => {
                    // A disk that is full has its say in the run itself.
                    let _ = writeln!(kept, "{}", output.fit(&text));
                }
                _ => output.line(&text),
            }
        }
        match &entry.event {
            Event::StepFinished { builder, result } => {
                let annotation = self.of_step(builder, result, lines);
                if let Some(group) = self.open.get_mut(builder) {
                    group.annotations.extend(annotation);
                }
            }
            Event::BuilderFinished { builder, outcome, seconds, reason, .. } => {
                let trouble = trouble(*outcome, reason.as_deref());
                let annotation = trouble.and_then(|reason| self.annotation(*outcome, builder, reason));
                let took = duration(Duration::from_secs_f64(*seconds));
                if let Some(mut group) = self.open.remove(builder) {
                    group.annotations.extend(annotation);
                    let title = format!("{}: {}, {took}", group.title, outcome.word());
                    let fine = matches!(outcome, Outcome::Success | Outcome::Skipped);
                    self.end(group, (&title, fine), entry.time.as_second(), output);
                } else if let Some(annotation) = annotation {
                    output.command(&annotation);
                }
            }
            _ => {}
        }
    }

    fn begin<W: Write>(&mut self, entry: &Entry, name: &str, place: (usize, usize), output: &mut Output<W>) {
        let ((index, total), began) = (place, entry.time.as_second());
        let kept = (!self.alone).then(|| SpooledTempFile::new(IN_MEMORY));
        let title = format!("[{index}/{total}] {name}");
        let group = Group { index, title, began, kept, annotations: Vec::new() };
        if self.alone {
            self.open_group(&group, &group.title, false, output);
        } else {
            output.line(&format!("{} begins", group.title));
        }
        self.open.insert(name.to_owned(), group);
    }

    fn end<W: Write>(&self, group: Group, (title, fine): (&str, bool), time: i64, output: &mut Output<W>) {
        let Group { index, annotations, mut kept, .. } = group;
        if let Some(kept) = &mut kept {
            // What failed is to be seen at once.
            let group = Group { index, title: String::new(), began: group.began, kept: None, annotations: Vec::new() };
            self.open_group(&group, title, fine, output);
            copy(kept, output);
        }
        match self.style {
            Style::GitHub => output.command("::endgroup::\n"),
            _ => output.command(&format!("\x1b[0Ksection_end:{time}:farmout_{index}\r\x1b[0K\n")),
        }
        annotations.iter().for_each(|annotation| output.command(annotation));
    }

    fn open_group<W: Write>(&self, group: &Group, title: &str, folded: bool, output: &mut Output<W>) {
        let Group { index, began, .. } = group;
        match self.style {
            Style::GitHub => output.command(&format!("::group::{}\n", github::data(title))),
            _ => {
                let folded = if folded { "[collapsed=true]" } else { "" };
                output.command(&format!("\x1b[0Ksection_start:{began}:farmout_{index}{folded}\r\x1b[0K{title}\n"));
            }
        }
    }

    /// The note of a step that failed or warned.
    fn of_step(&self, builder: &str, result: &StepResult, lines: &[Line]) -> Option<String> {
        let excerpt: Vec<_> = lines.iter().filter(|line| line.part == Part::Excerpt).map(|line| &line.text).collect();
        let mut message = result.reason.clone().unwrap_or_else(|| result.outcome.word().to_owned());
        for line in &excerpt[excerpt.len().saturating_sub(ANNOTATED)..] {
            message.push('\n');
            message.push_str(line);
        }
        self.annotation(result.outcome, &format!("{builder}: {}", result.name), &message)
    }

    /// A note for the job's summary of what failed or warned.
    fn annotation(&self, outcome: Outcome, title: &str, message: &str) -> Option<String> {
        let command = match outcome {
            Outcome::Failure => "error",
            Outcome::Warnings => "warning",
            _ => return None,
        };
        let (title, message) = (github::property(title), github::data(message));
        (self.style == Style::GitHub).then(|| format!("::{command} title={title}::{message}\n"))
    }

    /// Closes what is open, of a run that goes no further.
    pub(super) fn close<W: Write>(&mut self, now: i64, output: &mut Output<W>) {
        let mut open: Vec<Group> = self.open.drain().map(|(_, group)| group).collect();
        open.sort_by_key(|group| group.index);
        for group in open {
            let title = format!("{}: not at its end", group.title);
            self.end(group, (&title, false), now, output);
        }
    }
}

fn copy<W: Write>(kept: &mut SpooledTempFile, output: &mut Output<W>) {
    if kept.rewind().is_err() {
        return;
    }
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = kept.read(&mut buffer) {
        output.bytes(&buffer[..count]);
    }
}
