//! `grammar/placeholder.pest`: filling in ends, whatever is nested in what; what is escaped comes out as it was.
#![no_main]

use farmout::plan::placeholder::{Value, bind, escape, finish, names};

libfuzzer_sys::fuzz_target!(|text: &str| {
    assert_eq!(finish(&escape(text), |_| None).as_deref(), Ok(text));
    let names = names(text);
    let bound = bind(text, |name| match name.len() % 4 {
        0 => Value::Later,
        1 => Value::Known("a ${b} $${c}".to_owned()),
        2 => Value::Text("${d:-e}".to_owned()),
        _ => Value::Absent,
    });
    let finished = finish(text, |name| (name.len() % 2 == 0).then(|| "${x}".to_owned()));
    // A text that cannot be read cannot be filled in, nor the other way round but for names without a value.
    assert_eq!(names.is_err(), matches!(finished, Err(farmout::plan::placeholder::Error::Syntax(_))));
    if let Ok(bound) = bound {
        finish(&bound, |_| Some(String::new())).expect("what binding leaves is well formed");
    }
});
