//! `grammar/ini.pest`: every text is read, and every place is one.
#![no_main]

use farmout::diagnostic::Diagnostics;
use farmout::resolve::Sheet;
use farmout::source::{Sources, Span};
use farmout::syntax::ini;

libfuzzer_sys::fuzz_target!(|text: &str| {
    let mut sources = Sources::default();
    let id = sources.add("fuzzed", text);
    let mut diagnostics = Diagnostics::default();
    let document = ini::parse(&sources, id, &mut diagnostics);
    let stands = |span: Span| text.get(span.range()).expect("a place in the text");
    for section in &document.sections {
        // A carriage return is no part of a place.
        assert_eq!(stands(section.span), section.name.trim_end_matches('\r'));
        for option in &section.options {
            assert_eq!(stands(option.span).to_lowercase(), option.name);
            stands(option.value.whole());
            for line in option.value.lines() {
                assert_eq!(stands(option.value.span_of(line)), line);
            }
        }
    }
    let mut sheet = Sheet::new(document, &mut diagnostics);
    sheet.inherit(&mut diagnostics);
    let names: Vec<String> = sheet.sections().map(|(name, _)| name.to_owned()).collect();
    for name in &names {
        for option in sheet.names(name).into_iter().map(str::to_owned).collect::<Vec<_>>() {
            let found = sheet.get(name, &option, &mut diagnostics).expect("an option that is listed");
            if let Some(value) = found.value {
                for line in value.lines() {
                    stands(value.span_of(line));
                }
            }
        }
    }
    for diagnostic in diagnostics.sorted() {
        stands(diagnostic.span);
        for (span, _) in &diagnostic.related {
            stands(*span);
        }
    }
});
