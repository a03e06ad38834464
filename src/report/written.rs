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
            Self::Text => text(run, manner, out)?,
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

fn text(run: &Recorded, manner: Manner, out: &mut dyn Write) -> io::Result<()> {
    let mut out = Checked { out, problem: Ok(()) };
    let mut report = Terminal::new(&mut out, manner);
    run.entries.iter().for_each(|entry| report.observe(entry));
    if run.progress != Progress::Ended {
        report.unfinished(run.progress == Progress::AtWork);
    }
    drop(report);
    out.problem
}

/// Remembers what went wrong: a live report has nobody to tell.
struct Checked<'a> {
    out: &'a mut dyn Write,
    problem: io::Result<()>,
}

impl Checked<'_> {
    fn check<T>(&mut self, done: io::Result<T>) -> io::Result<T> {
        if let (Ok(()), Err(error)) = (&self.problem, &done) {
            self.problem = Err(io::Error::new(error.kind(), error.to_string()));
        }
        done
    }
}

impl Write for Checked<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes);
        self.check(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.out.flush();
        self.check(flushed)
    }
}
