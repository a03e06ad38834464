//! `grammar/buildout.pest`: every text is a configuration, and every piece stands where it says.
#![no_main]

use farmout::syntax::buildout::{Piece, parse};

libfuzzer_sys::fuzz_target!(|text: &str| {
    let file = parse(text);
    let stands = |piece: &Piece<'_>| assert_eq!(text.get(piece.span()), Some(piece.text));
    for section in &file.sections {
        stands(&section.name);
        section.condition.iter().for_each(stands);
        for option in &section.options {
            stands(&option.name);
            option.lines.iter().for_each(stands);
            option.value();
        }
    }
    file.junk.iter().for_each(stands);
});
