//! What is said to the user: diagnostics with a place in a file, and failures without one. Every diagnostic's wording
//! is in `problem/`, and its code in the table of `code.rs`; nothing else in the crate words one. From the collected
//! [`Diagnostics`] to text: `allow.rs` takes out what comments in the files allow, [`Levels`] judge the rest, and a
//! [`Report`] is written in one of the [`Format`]s.

mod allow;
mod code;
mod failure;
mod format;
mod levels;
mod pages;
pub mod problem;
mod redact;
mod report;
pub mod suggest;

use std::collections::HashSet;

use crate::source::{Sources, Span};

pub use allow::silence;
pub use code::Code;
pub use failure::{Failure, other_state, plain};
pub use format::Format;
pub(crate) use format::github;
pub use levels::Levels;
pub use pages::Pages;
pub use problem::{Label, Problem, Severity, Wording};
pub use report::{Counts, Report};

/// Prints all diagnostics for a person, on standard error, and counts them.
pub fn print(diagnostics: &Diagnostics, sources: &Sources) -> Counts {
    let report = Report::new(diagnostics, sources, &Levels::default());
    // Without a standard error there is nobody to tell.
    let _ = Format::Human.write(&report, &mut anstream::stderr().lock());
    report.counts()
}

/// A problem at its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// What is wrong.
    pub problem: Problem,
    /// The stable code of the problem.
    pub code: &'static str,
    /// How bad it is, where the user says nothing else.
    pub severity: Severity,
    /// Where.
    pub span: Span,
    /// Other places that have to do with it.
    pub related: Vec<(Span, Label)>,
}

impl Diagnostic {
    /// Adds the other places of a circle: `chain` are names that lead to each other, and `places` where they do. Of a large
    /// circle only the first ones are shown.
    pub fn circle(&mut self, chain: &[String], places: &[Span], label: impl Fn(String, String) -> Label) {
        const MOST: usize = 8;
        for (step, place) in chain.windows(2).zip(places).take(MOST) {
            if let [one, other] = step {
                self.label(*place, label(one.clone(), other.clone()));
            }
        }
    }

    /// Adds another place that has to do with it.
    pub fn label(&mut self, span: Span, label: Label) -> &mut Self {
        self.related.push((span, label));
        self
    }
}

/// What the passes collect. The same problem at the same place is kept once: a default that is read by fifty sections
/// has its mistake once.
#[derive(Debug, Default)]
pub struct Diagnostics {
    list: Vec<Diagnostic>,
    seen: HashSet<(&'static str, Span)>,
    /// Those of the list that were taken back.
    retracted: HashSet<(&'static str, Span)>,
    /// What a repeated problem's labels go to, so that callers need not care.
    repeated: Option<Diagnostic>,
    /// How often an error was reported, the same one again included.
    errors: usize,
}

impl Diagnostics {
    /// Reports a problem.
    pub fn push(&mut self, problem: impl Into<Problem>, span: Span) -> &mut Diagnostic {
        let problem = problem.into();
        let Wording { code, severity, .. } = problem.wording();
        self.errors += usize::from(severity == Severity::Error);
        let fresh = self.seen.insert((code, span));
        let diagnostic = Diagnostic { problem, code, severity, span, related: Vec::new() };
        if fresh {
            let at = self.list.len();
            self.list.push(diagnostic);
            &mut self.list[at]
        } else {
            self.repeated.insert(diagnostic)
        }
    }

    /// How often an error was reported so far, the same one again included: whoever reads one thing of many learns whether it
    /// has a mistake.
    pub fn errors(&self) -> usize {
        self.errors
    }

    /// Takes back what an error at the same place says better.
    pub fn retract(&mut self, code: &'static str, span: Span) {
        self.retracted.insert((code, span));
    }

    /// Keeps only those that `keep` takes.
    fn retain(&mut self, mut keep: impl FnMut(&Diagnostic) -> bool) {
        let Self { list, retracted, .. } = self;
        list.retain(|diagnostic| !is_retracted(retracted, diagnostic) && keep(diagnostic));
    }

    fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.list.iter().filter(|diagnostic| !is_retracted(&self.retracted, diagnostic))
    }

    /// Whether there is an error among them.
    pub fn has_errors(&self) -> bool {
        self.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }

    /// All of them, in the order of their places.
    pub fn sorted(&self) -> Vec<&Diagnostic> {
        let mut list: Vec<_> = self.iter().collect();
        list.sort_by_key(|diagnostic| (diagnostic.span, diagnostic.code));
        list
    }
}

fn is_retracted(retracted: &HashSet<(&'static str, Span)>, diagnostic: &Diagnostic) -> bool {
    !retracted.is_empty() && retracted.contains(&(diagnostic.code, diagnostic.span))
}
