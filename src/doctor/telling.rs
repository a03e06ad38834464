//! What was found, for people and for programs.

use std::fmt::Write as _;

use anstyle::AnsiColor;
use serde::Serialize;

use super::{Checked, Family, Finding, Mend, Patient, Place, Severity};

/// The version of the JSON that is written.
const FORMAT: u32 = 1;

/// All that an examination brought to light.
#[derive(Debug, Clone)]
pub struct Report {
    /// The slave.
    pub slave: String,
    /// How many builders of the farm it takes.
    pub builders: usize,
    /// Whom builds run as.
    pub user: String,
    /// Family by family.
    pub checked: Vec<Checked>,
}

#[derive(Serialize)]
struct Json<'r> {
    #[serde(rename = "farmout-doctor")]
    format: u32,
    slave: &'r str,
    user: &'r str,
    builders: usize,
    errors: usize,
    warnings: usize,
    families: Vec<JsonFamily<'r>>,
}

#[derive(Serialize)]
struct JsonFamily<'r> {
    family: Family,
    summary: &'r str,
    findings: Vec<JsonFinding<'r>>,
}

#[derive(Serialize)]
struct JsonFinding<'r> {
    name: &'r str,
    severity: Severity,
    place: Option<&'r Place>,
    what: &'r str,
    why: &'r str,
    mend: &'r Mend,
}

impl<'r> JsonFamily<'r> {
    fn new(checked: &'r Checked) -> Self {
        let findings = checked.findings.iter().map(JsonFinding::new).collect();
        Self { family: checked.family, summary: &checked.summary, findings }
    }
}

impl<'r> JsonFinding<'r> {
    fn new(Finding { kind, place, what, mend }: &'r Finding) -> Self {
        Self { name: kind.name, severity: kind.severity, place: place.as_ref(), what, why: kind.why, mend }
    }
}

impl Report {
    /// What was found of a patient.
    pub fn new(patient: &Patient<'_>, checked: Vec<Checked>) -> Self {
        let builders = patient.builders().count();
        Self { slave: patient.slave.name.clone(), builders, user: patient.user(), checked }
    }

    /// All findings, family by family.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.checked.iter().flat_map(|checked| &checked.findings)
    }

    /// Puts what a second look brought to light in the place of what the first did.
    pub fn renew(&mut self, checked: Vec<Checked>) {
        for new in checked {
            if let Some(old) = self.checked.iter_mut().find(|old| old.family == new.family) {
                *old = new;
            }
        }
    }

    /// How many findings are of a severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.findings().filter(|finding| finding.severity() == severity).count()
    }

    /// For people, coloured; without a line's end at the end.
    pub fn text(&self) -> String {
        let takes = match self.builders {
            0 => format!("takes no builder of this farm: `farmout plan --slave {} --why` says why", self.slave),
            1 => "takes 1 builder".to_owned(),
            number => format!("takes {number} builders"),
        };
        let mut text = format!("slave {} {takes}\n\n", self.slave);
        for checked in &self.checked {
            let worst = checked.findings.iter().map(Finding::severity).min();
            let worst = worst.filter(|severity| *severity != Severity::Note);
            let (style, mark) =
                worst.map_or((AnsiColor::Green.on_default(), "ok"), |worst| (worst.style(), worst.name()));
            let _ = writeln!(text, "  {style}{mark:<8}{style:#} {:<13} {}", checked.family.name(), checked.summary);
        }
        for severity in [Severity::Note, Severity::Warning, Severity::Error] {
            for finding in self.findings().filter(|finding| finding.severity() == severity) {
                text.push('\n');
                text.push_str(&told(finding));
            }
        }
        text.push('\n');
        text.push_str(&self.verdict());
        text
    }

    /// The last line.
    pub fn verdict(&self) -> String {
        let plural = |number: usize, noun: &str| format!("{number} {noun}{}", if number == 1 { "" } else { "s" });
        let warnings = match self.count(Severity::Warning) {
            0 => String::new(),
            number => format!("; {} may bite", plural(number, "warning")),
        };
        match self.count(Severity::Error) {
            0 => format!("builds can run here{warnings}"),
            number => format!("builds would fail here: {}{warnings}", plural(number, "error")),
        }
    }

    /// For programs: one object on one line.
    ///
    /// # Errors
    /// Those of serde, of which none happens.
    pub fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string(&Json {
            format: FORMAT,
            slave: &self.slave,
            user: &self.user,
            builders: self.builders,
            errors: self.count(Severity::Error),
            warnings: self.count(Severity::Warning),
            families: self.checked.iter().map(JsonFamily::new).collect(),
        })
    }
}

/// A finding for people, coloured.
fn told(finding: &Finding) -> String {
    let style = finding.severity().style();
    let mut text = format!("{style}{}{style:#}[{}]", finding.severity().name(), finding.kind.name);
    if let Some(Place { file, line, column }) = &finding.place {
        let _ = write!(text, " at {file}:{line}:{column}");
    }
    let _ = writeln!(text, ": {}", finding.what.replace('\n', "\n    "));
    let cyan = AnsiColor::Cyan.on_default();
    let mut more = |name: &str, words: &str| {
        let words = words.replace('\n', "\n        ");
        let _ = writeln!(text, "  {cyan}{name}{cyan:#}:{:1$}{words}", "", 5 - name.len());
    };
    if finding.severity() != Severity::Note {
        more("why", finding.kind.why);
    }
    let mut mend: Vec<String> = finding.mend.commands.iter().map(shell_words::join).collect();
    mend.extend(finding.mend.advice.clone());
    if !mend.is_empty() {
        more("mend", &mend.join("\n"));
    }
    text
}
