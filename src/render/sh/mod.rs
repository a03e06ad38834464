//! Plans as a POSIX shell script: what `farmout run` does with them, for a host where nothing else is installed. Plans of one
//! slave come in, the script goes out; it may carry a farmout program for the steps that call one.

mod function;
mod program;
mod view;
mod word;

use std::io::{self, Write};

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, context};

use crate::plan::Plan;

pub use program::Program;
use view::View;
pub(super) use word::quote;

/// What stands in the rendered text where the program goes: no text of a plan that can be in a script has it.
const PROGRAM: &str = "\0";

/// The parts that are the same in every script.
const LIBRARY: [&str; 6] = [
    include_str!("../templates/sh/prepare.sh"),
    include_str!("../templates/sh/lock.sh"),
    include_str!("../templates/sh/watch.sh"),
    include_str!("../templates/sh/step.sh"),
    include_str!("../templates/sh/files.sh"),
    include_str!("../templates/sh/builder.sh"),
];

/// Why plans cannot be a script.
#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    /// A text that no shell can hold, or a placeholder that has no meaning.
    #[error("builder {builder}: {what} cannot be in a script: {why}")]
    Text {
        /// The builder.
        builder: String,
        /// Where the text is.
        what: String,
        /// What is wrong with it.
        why: String,
    },
    /// A mistake in farmout.
    #[error("the script cannot be made: {0}")]
    Template(#[from] minijinja::Error),
}

/// A script, ready to be written.
#[derive(Debug)]
pub struct Script<'a> {
    head: String,
    program: Option<&'a Program>,
    tail: String,
}

impl<'a> Script<'a> {
    /// Makes the script of plans, which are all of the same slave. Without a program the script looks for one on its host.
    /// `own` are the properties that nobody can give a builder from outside.
    ///
    /// # Errors
    /// See [`ScriptError`].
    pub fn new(plans: &[Plan], program: Option<&'a Program>, own: &[String]) -> Result<Self, ScriptError> {
        let view = View::new(plans, own)?;
        let farmout = include_str!("../templates/sh/farmout.sh");
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        let mut syntax = SyntaxConfig::builder();
        syntax.trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true);
        environment.set_syntax(syntax.build()?);
        let program = program.filter(|_| view.needs_farmout);
        let text = environment
            .template_from_named_str("script.sh", include_str!("../templates/script.sh.j2"))?
            .render(context! {
                version => env!("CARGO_PKG_VERSION"),
                library => [&LIBRARY.join("\n"), farmout].join("\n"),
                bare => if program.is_none() { include_str!("../templates/sh/bare.sh") } else { "" },
                carried => include_str!("../templates/sh/carried.sh"),
                platform => program.map(|program| Serde(program.platform())),
                payload => PROGRAM,
                ..minijinja::Value::from(Serde(&view))
            })?;
        let (head, tail) = text
            .split_once(PROGRAM)
            .map_or((text.clone(), String::new()), |(head, tail)| (head.to_owned(), tail.to_owned()));
        Ok(Self { head, program, tail })
    }

    /// Writes it.
    ///
    /// # Errors
    /// `out` cannot be written to.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(self.head.as_bytes())?;
        if let Some(program) = self.program {
            program.write(out)?;
        }
        out.write_all(self.tail.as_bytes())
    }
}
