//! Where in a fragment the capabilities of a slave are. In: a text and the name of a section. Out: its lines, to be looked at
//! and added to.

use super::Refused;
use crate::diagnostic::Diagnostics;
use crate::source::Sources;
use crate::syntax::ini::{self, DEFAULT, Line};

/// The indentation of a value that has no line yet.
const INDENTATION: &str = "    ";

/// The option of the capabilities.
const CAPABILITY: &str = "capability";

/// The lines of a text, and which of them are the value of `capability` that a slave has.
pub(super) struct Place {
    lines: Vec<String>,
    /// What ends a line besides the line feed.
    carriage_return: &'static str,
    /// The section that has the value.
    section: String,
    /// The line of the option; where there is none, the last of the section.
    option: usize,
    /// The last line of the value, or of the section.
    last: usize,
    /// The section's lines, without its header.
    all: std::ops::Range<usize>,
    /// Whether the option is there.
    there: bool,
}

/// A line of a section.
struct Known<'a> {
    section: &'a str,
    line: Line<'a>,
}

impl Place {
    /// Finds the value that counts: the last one of the section, which is there, else the last one of `[DEFAULT]`.
    pub fn find(text: &str, slave: &str) -> Result<Self, Refused> {
        let mut section = "";
        let mut known: Vec<Known<'_>> = Vec::new();
        for line in ini::lines(text) {
            if let Line::Section(header) = line {
                section = name(header);
            }
            known.push(Known { section, line });
        }
        let sections = sections(text);
        let is_option = |known: &Known<'_>| matches!(known.line, Line::Option { name, .. } if name.eq_ignore_ascii_case(CAPABILITY));
        let last_of = |wanted: &str| known.iter().rposition(|known| known.section == wanted && is_option(known));
        let own = last_of(slave);
        let inherited = last_of(DEFAULT).filter(|_| own.is_none());
        if inherited.is_some() && sections.len() > 1 {
            let others = sections.into_iter().filter(|section| section != slave && last_of(section).is_none());
            let others: Vec<String> = others.collect();
            if !others.is_empty() {
                return Err(Refused::Shared(others));
            }
        }
        let option = own.or(inherited);
        let holder = if own.is_none() && inherited.is_some() { DEFAULT } else { slave };
        // Of several parts with one name, the one with the value; else the last.
        let within = option.or_else(|| known.iter().rposition(|known| known.section == slave)).unwrap_or_default();
        let is_header = |known: &Known<'_>| matches!(known.line, Line::Section(_));
        let begins = known[..=within].iter().rposition(is_header).unwrap_or_default();
        let ends = known[begins + 1..].iter().position(is_header).map_or(known.len(), |at| begins + 1 + at);
        let is_value = |at: &usize| matches!(known[*at].line, Line::Continuation(_));
        let last = match option {
            Some(option) => {
                let other = |at: &usize| matches!(known[*at].line, Line::Option { .. } | Line::Junk(_));
                let end = (option + 1..ends).find(other).unwrap_or(ends);
                (option + 1..end).rev().find(is_value).unwrap_or(option)
            }
            None => {
                let says = |at: &usize| is_value(at) || matches!(known[*at].line, Line::Option { .. });
                (begins + 1..ends).rev().find(says).unwrap_or(begins)
            }
        };
        Ok(Self {
            lines: text.split('\n').map(str::to_owned).collect(),
            carriage_return: if text.contains("\r\n") { "\r" } else { "" },
            section: holder.to_owned(),
            option: option.unwrap_or(last),
            last,
            all: begins + 1..ends,
            there: option.is_some(),
        })
    }

    /// The lines of the value with their numbers, without white space and comments.
    pub fn value_lines(&self) -> Vec<(usize, String)> {
        if !self.there {
            return Vec::new();
        }
        let text = self.text();
        let lines = ini::lines(&text);
        let value = |at: usize| match lines[at] {
            Line::Option { value, .. } if at == self.option && value != "\"\"" => Some((at, value.to_owned())),
            Line::Continuation(words) => Some((at, words.to_owned())),
            _ => None,
        };
        (self.option..=self.last).filter_map(value).filter(|(_, words)| !words.is_empty()).collect()
    }

    /// The comments of the section, with the numbers of their lines.
    pub fn comments(&self) -> Vec<(usize, String)> {
        self.all.clone().filter_map(|at| Some((at, self.comment(at)?.to_owned()))).collect()
    }

    /// The comment that a line is.
    pub fn comment(&self, at: usize) -> Option<&str> {
        self.lines.get(at).filter(|line| line.starts_with(['#', ';'])).map(|line| line.trim_end())
    }

    /// The value of another option of the section, on one line.
    pub fn setting(&self, wanted: &str) -> Option<String> {
        let text = self.text();
        let lines = ini::lines(&text);
        self.all.clone().find_map(|at| match lines.get(at) {
            Some(Line::Option { name, value, .. }) if name.eq_ignore_ascii_case(wanted) => Some((*value).to_owned()),
            _ => None,
        })
    }

    /// The last line of the value, where more can follow. Makes the option where there is none.
    pub fn last_value(&mut self) -> usize {
        if !self.there {
            let behind = self.last + 1;
            self.insert(behind, vec![format!("{CAPABILITY} =")]);
            (self.option, self.last, self.there) = (behind, behind, true);
        }
        self.last
    }

    /// How lines of the value are indented.
    pub fn indentation(&self) -> String {
        let indented = self.lines[self.option..=self.last].iter().skip(1);
        let indentation = indented.map(|line| &line[..line.len() - line.trim_start().len()]);
        indentation.rev().find(|blank| !blank.is_empty() && !blank.contains('\r')).unwrap_or(INDENTATION).to_owned()
    }

    /// Puts lines before the one of this number.
    pub fn insert(&mut self, at: usize, lines: Vec<String>) {
        let count = lines.len();
        let ended = lines.into_iter().map(|line| line + self.carriage_return).collect::<Vec<_>>();
        // The last line of a text without an end gets one.
        if at == self.lines.len() {
            if let Some(last) = self.lines.last_mut() {
                last.push_str(self.carriage_return);
            }
            self.lines.extend(ended);
            self.lines.push(String::new());
        } else {
            self.lines.splice(at..at, ended);
        }
        self.all.end += count;
        if self.there && at > self.last {
            self.last = at + count - 1;
        } else if at <= self.last {
            self.last += count;
        }
        if at <= self.option {
            self.option += count;
        }
    }

    /// Puts another line in the place of one.
    pub fn replace(&mut self, at: usize, line: String) {
        self.lines[at] = line + self.carriage_return;
    }

    /// Takes a line out.
    pub fn remove(&mut self, at: usize) {
        self.lines.remove(at);
        self.all.end -= 1;
        self.option -= usize::from(at < self.option);
        self.last -= usize::from(at <= self.last);
    }

    /// The text as it is by now.
    pub fn text(&self) -> String {
        self.lines.join("\n")
    }

    /// Whether it says what a text said, and the lines that were added to the value; their order aside.
    pub fn says(&self, before: &str, added: &[String]) -> bool {
        let mut expected = settings(before);
        let is = |setting: &Setting| setting.section == self.section && setting.option == CAPABILITY;
        match expected.iter().rposition(is) {
            Some(at) => expected[at].lines.extend(added.iter().cloned()),
            None if added.is_empty() => {}
            None => expected.push(Setting {
                section: self.section.clone(),
                option: CAPABILITY.to_owned(),
                lines: added.to_vec(),
            }),
        }
        let sorted = |mut settings: Vec<Setting>| {
            settings.iter_mut().for_each(Setting::sort);
            settings.sort();
            settings
        };
        sorted(expected) == sorted(settings(&self.text()))
    }
}

/// The slaves of a fragment: its sections, each once.
pub fn sections(text: &str) -> Vec<String> {
    let mut sections: Vec<String> = Vec::new();
    for line in ini::lines(text) {
        if let Line::Section(header) = line
            && name(header) != DEFAULT
            && !sections.iter().any(|section| section == name(header))
        {
            sections.push(name(header).to_owned());
        }
    }
    sections
}

/// The name in a section's header.
fn name(header: &str) -> &str {
    header[1..].split(']').next().unwrap_or_default()
}

/// What an option of a section says.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Setting {
    section: String,
    option: String,
    lines: Vec<String>,
}

impl Setting {
    /// Capabilities may stand in any order; nothing else may.
    fn sort(&mut self) {
        if self.option == CAPABILITY {
            self.lines.retain(|line| !line.is_empty());
            self.lines.sort();
        }
    }
}

/// All that a text says, in its order.
fn settings(text: &str) -> Vec<Setting> {
    let mut sources = Sources::default();
    let id = sources.add("fragment", text);
    let document = ini::parse(&sources, id, &mut Diagnostics::default());
    let mut settings = Vec::new();
    for section in document.sections {
        for option in section.options {
            let lines = option.value.split('\n').map(str::to_owned).collect();
            settings.push(Setting { section: section.name.clone(), option: option.name, lines });
        }
    }
    settings
}
