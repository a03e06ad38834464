//! SARIF 2.1.0, the form in which code scanning takes the results of checkers. The document describes the rules that it
//! has results for, and no others.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;
use serde_json::{Value, json};

use super::super::code;
use super::super::report::{Finding, Fingerprints, Place};
use super::super::{Report, Severity};
use crate::each::Each;

const SCHEMA: &str = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

#[derive(Serialize)]
struct Document<R> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [Run<R>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Run<R> {
    tool: Value,
    /// Columns count characters as Unicode does, not UTF-16 units.
    column_kind: &'static str,
    results: R,
}

pub(super) fn sarif(report: &Report<'_>, output: &mut impl Write) -> io::Result<()> {
    // The codes in alphabetical order, each with its index.
    let mut rules: BTreeMap<&str, usize> = report.codes().map(|code| (code, 0)).collect();
    rules.values_mut().enumerate().for_each(|(index, rule)| *rule = index);
    let tool = json!({
        "driver": {
            "name": "farmout",
            "semanticVersion": env!("CARGO_PKG_VERSION"),
            "rules": rules.keys().map(|name| rule(report, name)).collect::<Vec<_>>(),
        },
    });
    let fingerprints = RefCell::new(Fingerprints::default());
    let result = |finding: Finding<'_>| {
        let index = rules.get(finding.wording.code).copied().unwrap_or_default();
        result(report, &finding, index, &fingerprints.borrow_mut().next(report, &finding))
    };
    let results = Each(|| report.findings().map(result));
    let run = Run { tool, column_kind: "unicodeCodePoints", results };
    let document = Document { schema: SCHEMA, version: "2.1.0", runs: [run] };
    serde_json::to_writer_pretty(&mut *output, &document)?;
    output.write_all(b"\n")
}

fn rule(report: &Report<'_>, name: &str) -> Value {
    let mut rule = json!({ "id": name });
    if let Some(code) = code::find(name) {
        rule["shortDescription"] = json!({ "text": code.summary });
        rule["defaultConfiguration"] = json!({ "level": level(code.severity) });
    }
    if let Some(pages) = &report.pages {
        rule["helpUri"] = json!(pages.of(name));
    }
    rule
}

fn result(report: &Report<'_>, finding: &Finding<'_>, rule: usize, fingerprint: &str) -> Value {
    let wording = &finding.wording;
    let help = wording.help.as_ref().map(|help| format!("\n{help}")).unwrap_or_default();
    let mut result = json!({
        "ruleId": wording.code,
        "ruleIndex": rule,
        "level": level(wording.severity),
        "message": { "text": format!("{}{help}", wording.message) },
        "locations": [location(&report.place(finding.diagnostic.span), &wording.label)],
        "partialFingerprints": { "farmout/v1": fingerprint },
    });
    let related = finding.diagnostic.related.iter().enumerate().map(|(index, (span, label))| {
        let mut location = location(&report.place(*span), &label.to_string());
        location["id"] = json!(index + 1);
        location
    });
    let related: Vec<_> = related.collect();
    if !related.is_empty() {
        result["relatedLocations"] = json!(related);
    }
    result
}

fn location(place: &Place, label: &str) -> Value {
    json!({
        "physicalLocation": {
            "artifactLocation": { "uri": uri(&place.file) },
            "region": {
                "startLine": place.line,
                "startColumn": place.column,
                "endLine": place.end_line,
                "endColumn": place.end_column,
            },
        },
        "message": { "text": label },
    })
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Notice => "note",
    }
}

/// The reference to a file: relative where its path is, and with `%` escapes for what has another meaning in addresses.
fn uri(path: &str) -> String {
    let mut uri = String::new();
    if path.starts_with('/') {
        uri.push_str("file://");
    }
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::uri;

    #[test]
    fn paths_become_references() {
        assert_eq!(uri("a b/ü:1.cfg"), "a%20b/%C3%BC%3A1.cfg");
        assert_eq!(uri("/farm/x.cfg"), "file:///farm/x.cfg");
        assert_eq!(uri("<stdin>"), "%3Cstdin%3E");
    }
}
