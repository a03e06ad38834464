//! `grammar/filter.pest`: every line has tokens, which stand in it in order and hold all of it but white space.
#![no_main]

use farmout::model::{Criterion, Operator, Version, satisfiable};
use farmout::syntax::filter::{Kind, tokens};

libfuzzer_sys::fuzz_target!(|line: &str| {
    // The lines of a value have no line ends.
    if line.contains(['\n', '\r']) {
        return;
    }
    let tokens = tokens(line);
    let Some((Kind::Name, _)) = tokens.first() else { panic!("no name") };
    let written: String = tokens.iter().map(|(_, text)| *text).collect();
    let blank = |c: &char| !matches!(c, ' ' | '\t');
    assert!(written.chars().eq(line.chars().filter(blank)), "{tokens:?}");
    let mut criteria: Vec<Criterion> = Vec::new();
    for pair in tokens.windows(2) {
        if let [(Kind::Operator, operator), (Kind::Version, version)] = pair {
            let operator = Operator::parse(operator).expect("an operator of the grammar");
            // The grammar takes numbers of any length; the model, 64 bits.
            criteria.extend(Version::parse(version).map(|version| Criterion { operator, version }));
        }
    }
    criteria.truncate(20);
    satisfiable(&criteria);
    for (one, two) in criteria.iter().zip(criteria.iter().skip(1)) {
        let (one, two) = (&one.version, &two.version);
        assert_eq!(one.compare(two), two.compare(one).map(std::cmp::Ordering::reverse));
        assert_eq!(one.compare(one), Some(std::cmp::Ordering::Equal));
        // The order of lists is that of comparing, where there is one.
        assert!(one.compare(two).is_none_or(|order| order == one.cmp(two)), "{one} {two}");
    }
});
