//! YAML that every parser takes for the same. A document comes in, text goes out.
//!
//! Some of those that read it know YAML 1.1, for which `yes` is a truth, `1:30` a number and `2026-11-23` a date. So a text is
//! written without quotes only where no parser can take it for anything else.

use serde::Serialize;
use serde_json::Value;

/// Words that are no texts to some parsers, in any case.
const WORDS: [&str; 11] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null", "nil", "~"];

/// Writes a document, which is a mapping.
///
/// # Errors
/// What JSON cannot hold, such as a mapping with keys that are no texts.
pub(super) fn yaml(document: &impl Serialize) -> Result<String, serde_json::Error> {
    let mut text = String::new();
    block(&serde_json::to_value(document)?, 0, &mut text);
    Ok(text)
}

/// Appends a value, from the beginning of a line on.
fn block(value: &Value, indent: usize, text: &mut String) {
    match value {
        Value::Object(entries) => {
            for (key, value) in entries {
                text.push_str(&" ".repeat(indent));
                entry(key, value, indent, text);
            }
        }
        Value::Array(items) => {
            for item in items {
                text.push_str(&" ".repeat(indent));
                text.push('-');
                match item {
                    // The first entry stands beside the dash.
                    Value::Object(entries) if !entries.is_empty() => {
                        for (number, (key, value)) in entries.iter().enumerate() {
                            text.push_str(&" ".repeat(if number == 0 { 1 } else { indent + 2 }));
                            entry(key, value, indent + 2, text);
                        }
                    }
                    item => inline(item, indent, text),
                }
            }
        }
        scalar => inline(scalar, indent, text),
    }
}

fn entry(key: &str, value: &Value, indent: usize, text: &mut String) {
    text.push_str(&scalar(key));
    text.push(':');
    inline(value, indent, text);
}

/// Appends a value behind its key or dash, and the line's end.
fn inline(value: &Value, indent: usize, text: &mut String) {
    match value {
        Value::Object(entries) if !entries.is_empty() => {
            text.push('\n');
            block(value, indent + 2, text);
        }
        Value::Array(items) if !items.is_empty() => {
            text.push('\n');
            block(value, indent + 2, text);
        }
        Value::String(lines) if is_lines(lines) => {
            text.push_str(" |-\n");
            for line in lines.lines() {
                text.push_str(&" ".repeat(indent + 2));
                text.push_str(line);
                text.push('\n');
            }
        }
        Value::Null => text.push('\n'),
        Value::String(string) => {
            text.push(' ');
            text.push_str(&scalar(string));
            text.push('\n');
        }
        // Numbers, truths, `{}` and `[]` are written as in JSON.
        other => text.push_str(&format!(" {other}\n")),
    }
}

/// Whether a text is several lines that can stand as they are.
fn is_lines(text: &str) -> bool {
    let plain = |line: &str| !line.is_empty() && !line.ends_with(' ') && !line.chars().any(unprintable);
    text.contains('\n') && !text.starts_with(' ') && !text.ends_with('\n') && text.split('\n').all(plain)
}

/// A text on one line, in quotes if need be.
fn scalar(text: &str) -> String {
    if is_plain(text) {
        return text.to_owned();
    }
    // Quotes of JSON are quotes of YAML, but for characters that JSON leaves as they are.
    let mut quoted = String::new();
    for c in Value::from(text).to_string().chars() {
        if unprintable(c) { quoted.push_str(&format!("\\u{:04x}", u32::from(c))) } else { quoted.push(c) }
    }
    quoted
}

/// Whether a text needs no quotes.
fn is_plain(text: &str) -> bool {
    let begins = text.starts_with(|c: char| c.is_ascii_alphabetic() || "_/$".contains(c))
        || text.strip_prefix('.').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_alphabetic()));
    begins
        && text.chars().all(|c| c == ' ' || c.is_ascii_graphic())
        && !text.ends_with([' ', ':'])
        && !text.contains(": ")
        && !text.contains(" #")
        && !WORDS.contains(&text.to_ascii_lowercase().as_str())
        && ![".inf", ".nan"].contains(&text.to_ascii_lowercase().as_str())
}

/// Characters that YAML wants escaped, or takes for the end of a line.
fn unprintable(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn every_kind_of_value_has_its_form() {
        let document = json!({
            "on": {"push": null, "none": [], "nothing": {}},
            "version": "15",
            "count": 15,
            "truth": true,
            "if": "$A == \"b\"",
            "steps": [{"run": "one\n  two", "with": {"a": "b: c"}}, "three", ["four"]],
        });
        let expected = "\
\"on\":
  push:
  none: []
  nothing: {}
version: \"15\"
count: 15
truth: true
if: $A == \"b\"
steps:
  - run: |-
      one
        two
    with:
      a: \"b: c\"
  - three
  -
    - four
";
        let text = yaml(&document).unwrap();
        assert_eq!(text, expected);
        assert_eq!(serde_yaml::from_str::<Value>(&text).unwrap(), document);
    }

    #[test]
    fn what_some_parser_takes_for_something_else_has_quotes() {
        for odd in [
            "yes",
            "NO",
            "On",
            "y",
            "~",
            "null",
            "1:30",
            "010",
            "1_000",
            "1e3",
            "2026-11-23",
            ":symbol",
            ".5",
            ".INF",
            "<<",
            "=",
            "",
            " a",
            "a ",
            "a: b",
            "a:",
            "a #b",
            "- a",
            "? a",
            "*a",
            "&a",
            "!a",
            "%a",
            "@a",
            "`a",
            "'a'",
            "\"a\"",
            "[a]",
            "{a}",
            "ü",
            "a\u{2028}b",
            "a\u{85}b",
            "a\u{7f}b",
            "a\tb",
            "|",
            ">",
        ] {
            assert!(scalar(odd).starts_with('"'), "{odd:?}");
        }
        for plain in
            ["demo-pg15", "python:3.12", "${{ matrix.image }}", "$CI_PROJECT_DIR/x", ".builder", "it's \"a\" {b}, [c]"]
        {
            assert_eq!(scalar(plain), plain);
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(key in "[^\u{fffe}\u{ffff}]{0,12}", value in "[^\u{fffe}\u{ffff}]{0,40}", lines in "[ a-c:#\n]{0,20}") {
            let document = json!({"a": {key: value}, "b": [lines]});
            let text = yaml(&document).unwrap();
            prop_assert_eq!(serde_yaml::from_str::<Value>(&text).unwrap(), document, "{}", text);
        }
    }
}
