//! Functions of a script: commands and words come in, their text goes out. Nothing here knows plans but for the files in them.

use super::word::{Word, format, quote};
use crate::plan::PlanFile;

/// Variables that some shells do not let anybody set or export, or that mean something to them.
const SHELLS_OWN: [&str; 13] = [
    "BASHOPTS",
    "BASHPID",
    "BASH_ENV",
    "BASH_VERSINFO",
    "ENV",
    "EUID",
    "GROUPS",
    "IFS",
    "LINENO",
    "OPTIND",
    "PPID",
    "SHELLOPTS",
    "UID",
];

/// The body of a function.
#[derive(Debug, Default)]
pub(super) struct Body {
    lines: Vec<String>,
    /// Variables that the shell would not set itself, as words before the command.
    pub(super) through_env: Vec<String>,
}

impl Body {
    /// Puts what a word needs before it, and returns it.
    pub(super) fn word(&mut self, word: Word) -> String {
        word.after(&mut self.lines)
    }

    pub(super) fn set(&mut self, name: &str, word: Word) {
        let word = self.word(word);
        if SHELLS_OWN.contains(&name) {
            if self.through_env.is_empty() {
                self.through_env.push("env".to_owned());
            }
            self.through_env.push(format!("{name}={word}"));
        } else {
            self.lines.push(format!("fo_set {name} {word}"));
        }
    }

    /// A command, on as many lines as it takes.
    pub(super) fn command(&mut self, words: &[String]) {
        const WIDTH: usize = 108;
        let mut line = String::new();
        for word in words {
            if !line.is_empty() && line.len() + word.len() > WIDTH {
                self.lines.push(line + " \\");
                line = format!("    {word}");
            } else {
                line.push_str(if line.is_empty() { "" } else { " " });
                line.push_str(word);
            }
        }
        self.lines.push(line);
    }

    pub(super) fn function(self, name: &str, comment: &str) -> String {
        let lines: String = self.lines.iter().map(|line| format!("    {line}\n")).collect();
        let lines = if lines.is_empty() { "    :\n" } else { &lines };
        format!("{comment}{name}() {{\n{lines}}}\n\n")
    }
}

/// The commands that put a file in its place.
pub(super) fn carried(file: &PlanFile) -> String {
    let mode = if file.executable { "755" } else { "644" };
    let path = file.path.as_str();
    let call = format!("    fo_file {} {} {mode}", quote(path), quote(&format(path)));
    let odd = |c: char| c.is_ascii_control() && !matches!(c, '\n' | '\r' | '\t');
    let lines = file.content.rfind('\n').map_or(0, |end| end + 1);
    let (lines, rest) = if file.content.contains(odd) { ("", &*file.content) } else { file.content.split_at(lines) };
    let call = if rest.is_empty() { call } else { format!("{call} {}", quote(&format(rest))) };
    if lines.is_empty() {
        return format!("{call} </dev/null\n");
    }
    let mut end = "FARMOUT_FILE".to_owned();
    while lines.lines().any(|line| line == end) {
        end.push('_');
    }
    format!("{call} <<'{end}'\n{lines}{end}\n")
}
