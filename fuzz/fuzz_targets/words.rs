//! `grammar/capability.pest` and `grammar/source.pest`: words hold all of a line but white space.
#![no_main]

use farmout::syntax::words::{Word, capability, source};

libfuzzer_sys::fuzz_target!(|line: &str| {
    // The lines of a value have no line ends.
    if line.contains(['\n', '\r']) {
        return;
    }
    let all = |words: &[Word<'_>]| -> String {
        let word = |word: &Word<'_>| match word {
            Word::Option(key, value) => format!("{key}={value}"),
            Word::Plain(word) => (*word).to_owned(),
        };
        words.iter().map(word).collect()
    };
    let written: String = line.chars().filter(|c| !matches!(c, ' ' | '\t')).collect();
    assert_eq!(all(&source(line)), written);
    match capability(line) {
        Some((name, words)) => assert_eq!(name.to_owned() + &all(&words), written),
        None => assert!(written.is_empty()),
    }
});
