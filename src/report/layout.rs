//! Lines that tell of a run in, the same lines laid out for a plain stream: one builder after the other, or, where several
//! are at work at a time, each line with its builder's name.

use super::telling::{DIM, Line, Part};

/// A line as it stands where it is clear which builder it is about.
pub(super) fn alone(line: &Line) -> String {
    let text = &line.text;
    match line.part {
        Part::Excerpt => format!("    {DIM}|{DIM:#} {text}"),
        Part::Output => format!("  {DIM}|{DIM:#} {text}"),
        _ => text.clone(),
    }
}

/// One builder after the other.
pub(super) fn in_sequence(line: &Line) -> Option<String> {
    match (line.part, &line.builder) {
        (Part::Head, _) => Some(format!("\n{}", line.text)),
        // Streams are long, and are searched for the builder.
        (Part::Output, Some(builder)) => Some(format!("{DIM}{builder} |{DIM:#} {}", line.text)),
        // The steps have said why, and the table says the rest.
        (Part::End, _) => None,
        _ => Some(alone(line)),
    }
}

/// Several builders at a time: names as wide as the widest of them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Named {
    widest: usize,
}

impl Named {
    /// Wider columns would leave no room for what is said.
    const WIDEST: usize = 40;

    pub(super) fn new<'a>(builders: impl Iterator<Item = &'a str>) -> Self {
        let widest = builders.map(|builder| builder.chars().count()).max().unwrap_or(0);
        Self { widest: widest.min(Self::WIDEST) }
    }

    /// The line with its builder's name.
    pub(super) fn line(self, line: &Line) -> String {
        let Some(builder) = &line.builder else { return line.text.clone() };
        let widest = self.widest;
        match line.part {
            Part::Head => line.text.clone(),
            _ => format!("{DIM}{builder:<widest$}{DIM:#}{}", alone(line)),
        }
    }
}
