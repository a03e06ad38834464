//! A run as its journal tells of it in, a report in one of the forms out. It is the same whether the run has just ended or is
//! read again later.

use std::io::{self, Write};

use crate::report::{Manner, Terminal, html, junit};
use crate::runner::{Progress, Recorded};

/// The form of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// What `farmout run` says
    Text,
    /// The result, as in result.json
    Json,
    /// JUnit's XML: a test suite for each builder, a test case for each step
    Junit,
    /// A page for a browser, complete in itself
    Html,
}

impl Format {
    /// Writes the report.
    ///
    /// # Errors
    /// `out` takes no more.
    pub fn write(self, run: &Recorded, manner: Manner, out: &mut dyn Write) -> io::Result<()> {
        match self {
            Self::Text => text(run, manner, out),
            Self::Json => {
                serde_json::to_writer_pretty(&mut *out, &run.result)?;
                out.write_all(b"\n")?;
            }
            Self::Junit => junit::write(&run.result, out)?,
            Self::Html => html::write_run(&run.result, &run.past(), out)?,
        }
        out.flush()
    }
}

fn text(run: &Recorded, manner: Manner, out: &mut dyn Write) {
    let mut report = Terminal::new(out, manner);
    run.entries.iter().for_each(|entry| report.observe(entry));
    if run.progress != Progress::Ended {
        report.unfinished(run.progress == Progress::AtWork);
    }
}
