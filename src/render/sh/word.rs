//! Words of a POSIX shell: texts of a plan come in, what stands for them in a script goes out. Nothing here knows what a script
//! is for.

use std::fmt::Write as _;

use indexmap::IndexSet;

use crate::plan::placeholder::{Error, Piece, pieces};

/// The variables that stand for what only a run knows.
const AT_RUN_TIME: [(&str, &str); 8] = [
    ("basedir", "fo_basedir"),
    ("builder-dir", "fo_builder_dir"),
    ("build-dir", "fo_build_dir"),
    ("tmp-dir", "fo_tmp_dir"),
    ("caches", "fo_caches"),
    ("socket-dir", "fo_socket_dir"),
    ("farmout", "fo_farmout"),
    ("run", "fo_run"),
];

/// A literal word.
pub(in crate::render) fn quote(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=@%+,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// A format of printf that makes exactly this text, on one line.
pub(super) fn format(text: &str) -> String {
    let mut format = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '%' => format.push_str("%%"),
            '\\' => format.push_str(r"\\"),
            // At the beginning it would be an option's.
            '-' if format.is_empty() => format.push_str(r"\055"),
            // Writing to a string does not fail.
            c if c.is_ascii_control() => drop(write!(format, "\\{:03o}", u32::from(c))),
            c => format.push(c),
        }
    }
    format
}

/// A text for a comment or a message: on one line, whatever is in it.
pub(super) fn shown(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// The properties and secrets that texts ask for. Their numbers are those of the variables that hold them.
#[derive(Debug, Default)]
pub(super) struct Names {
    pub(super) properties: IndexSet<String>,
    pub(super) secrets: IndexSet<String>,
    /// How many defaults were given a variable of their own.
    defaults: usize,
}

/// Why a text cannot be in a script.
#[derive(Debug, thiserror::Error)]
pub(super) enum WordError {
    #[error(transparent)]
    Placeholder(#[from] Error),
    #[error("it has a NUL character in it, which no shell can hold")]
    Nul,
    #[error("nothing is known as `${{{0}}}` here")]
    Unknown(String),
}

/// A word, and the commands that must come before it.
#[derive(Debug, Default)]
pub(super) struct Word {
    before: Vec<String>,
    word: String,
}

impl Word {
    /// The word, for a command that comes after these lines: what must come before it is added to them.
    pub(super) fn after(self, lines: &mut Vec<String>) -> String {
        lines.extend(self.before);
        self.word
    }
}

impl Names {
    /// The variable of a property.
    pub(super) fn property(&mut self, name: &str) -> String {
        format!("fo_property_{}", self.properties.insert_full(name.to_owned()).0 + 1)
    }

    fn variable(&mut self, name: &str) -> Result<String, WordError> {
        if let Some((_, variable)) = AT_RUN_TIME.iter().find(|(known, _)| *known == name) {
            return Ok((*variable).to_owned());
        }
        if let Some(property) = name.strip_prefix("property.") {
            return Ok(self.property(property));
        }
        let secret = name.strip_prefix("secret.").ok_or_else(|| WordError::Unknown(name.to_owned()))?;
        Ok(format!("fo_secret_{}", self.secrets.insert_full(secret.to_owned()).0 + 1))
    }

    /// The word of a text with placeholders. `why` says of a property without a value what should have given it one.
    pub(super) fn word(&mut self, text: &str, why: &dyn Fn(&str) -> String) -> Result<Word, WordError> {
        if text.contains('\0') {
            return Err(WordError::Nul);
        }
        let pieces = pieces(text)?;
        if let [Piece::Literal(text)] = pieces.as_slice() {
            return Ok(Word { before: Vec::new(), word: quote(text) });
        }
        let mut word = Word::default();
        let inner = self.inner(&pieces, why, &mut word.before)?;
        word.word = format!("\"{inner}\"");
        Ok(word)
    }

    /// What stands between double quotes.
    fn inner(
        &mut self,
        pieces: &[Piece],
        why: &dyn Fn(&str) -> String,
        before: &mut Vec<String>,
    ) -> Result<String, WordError> {
        let mut inner = String::new();
        for piece in pieces {
            match piece {
                Piece::Literal(text) => {
                    for c in text.chars() {
                        if matches!(c, '"' | '$' | '`' | '\\') {
                            inner.push('\\');
                        }
                        inner.push(c);
                    }
                }
                Piece::Placeholder { name, default } => {
                    let variable = self.variable(name)?;
                    match default.as_deref() {
                        None => {
                            if let Some(property) = name.strip_prefix("property.") {
                                let (name, why) = (quote(name), quote(&why(property)));
                                before.push(format!("[ -n \"${{{variable}+set}}\" ] || fo_lacking {name} {why}"));
                            }
                            // Braces, as a letter may follow.
                            inner.push_str(&format!("${{{variable}}}"));
                        }
                        Some([]) => inner.push_str(&format!("${{{variable}-}}")),
                        Some(default) => inner.push_str(&self.default(&variable, default, why, before)?),
                    }
                }
            }
        }
        Ok(inner)
    }

    /// A placeholder with a default. Shells do not agree on quotes within braces, so that the default has a variable of its
    /// own.
    fn default(
        &mut self,
        variable: &str,
        default: &[Piece],
        why: &dyn Fn(&str) -> String,
        before: &mut Vec<String>,
    ) -> Result<String, WordError> {
        self.defaults += 1;
        let own = format!("fo_default_{}", self.defaults);
        let mut within = Vec::new();
        let inner = self.inner(default, why, &mut within)?;
        before.push(format!("{own}=''"));
        before.push(format!("if [ -z \"${{{variable}-}}\" ]; then"));
        before.extend(within.into_iter().map(|line| format!("    {line}")));
        before.push(format!("    {own}=\"{inner}\""));
        before.push("fi".to_owned());
        Ok(format!("${{{variable}:-${{{own}}}}}"))
    }
}
