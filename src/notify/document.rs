//! What is told: the JSON document that programs get, and of which mails are made. Data only.

use camino::Utf8PathBuf;
use indexmap::IndexMap;
use serde::Serialize;

use crate::model::Occasion;
use crate::runner::{Outcome, Veil};

/// The version of the documents that this farmout writes. Later ones of the same version may have more keys.
pub const FORMAT: u32 = 1;

/// What a document is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A run that ended.
    Run,
    /// A builder that ended, while its run may go on.
    Builder,
    /// A slave that cannot be used.
    Missing,
}

/// One thing that is told.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Document {
    /// [`FORMAT`].
    pub format: u32,
    /// What it is about.
    pub event: Kind,
    /// The farm's directory.
    pub farm: Utf8PathBuf,
    /// The slave.
    pub slave: String,
    /// The run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// The run's folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder: Option<Utf8PathBuf>,
    /// How the run ended, if it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// How long it took, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// How many builders the run has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<usize>,
    /// Why the slave cannot be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// The builders that it is about, in the order in which they ended.
    pub builders: Vec<BuilderNews>,
}

/// A builder that ended.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BuilderNews {
    /// The builder.
    pub builder: String,
    /// The build that it comes from.
    pub build: String,
    /// Why it is told of.
    pub event: Occasion,
    /// How it ended.
    pub outcome: Outcome,
    /// How it had ended the last time that it came to an end, if it did.
    pub before: Option<Outcome>,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// Which step decided the outcome and why, unless all went well.
    pub reason: Option<String>,
    /// What its steps reported.
    pub properties: IndexMap<String, String>,
    /// Its steps that failed or warned.
    pub steps: Vec<StepNews>,
}

/// A step that failed or warned.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepNews {
    /// The step.
    pub step: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Why.
    pub reason: Option<String>,
    /// Where its log is.
    pub log: Option<Utf8PathBuf>,
    /// The lines that matter of it.
    pub excerpt: Vec<String>,
}

impl Document {
    /// The document as JSON, a line, without secrets.
    pub(super) fn json(&self, veil: &Veil) -> serde_json::Result<Vec<u8>> {
        let mut value = serde_json::to_value(self)?;
        hide(&mut value, veil);
        let mut bytes = serde_json::to_vec(&value)?;
        bytes.push(b'\n');
        Ok(bytes)
    }
}

/// Hides secrets in every text. In the finished JSON a value may be written in another way.
fn hide(value: &mut serde_json::Value, veil: &Veil) {
    use serde_json::Value;
    match value {
        Value::String(text) => *text = veil.text(text),
        Value::Array(items) => items.iter_mut().for_each(|item| hide(item, veil)),
        Value::Object(entries) => entries.values_mut().for_each(|value| hide(value, veil)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Secret;

    #[test]
    fn secrets_are_hidden_however_json_writes_them() {
        let secret = "a\"b\\c\u{1}";
        let veil = Veil::new(&[("s".to_owned(), Secret::new(secret))].into());
        let document = Document {
            format: FORMAT,
            event: Kind::Missing,
            farm: "/farm".into(),
            slave: "atlas".to_owned(),
            run: None,
            folder: None,
            outcome: None,
            seconds: None,
            total: None,
            problem: Some(format!("it says {secret}!")),
            builders: Vec::new(),
        };
        let json: serde_json::Value = serde_json::from_slice(&document.json(&veil).unwrap()).unwrap();
        assert_eq!(json["problem"], "it says ***!");
    }
}
