//! Did you mean? The nearest of the names that would have been right.

/// Nobody means a name longer than this, and comparing a broken file's lines with names would take for ever.
const LONGEST: usize = 100;

/// A message whose words are of a length that somebody reads: of what is longer, the beginning. A broken file can have a
/// name of a hundred megabytes.
pub fn short(message: &str) -> String {
    let word = |word: &str| match word.char_indices().nth(LONGEST) {
        // A closing quotation mark and the white space after the word stay.
        Some((end, _)) => {
            format!("{}…{}", &word[..end], &word[word.trim_end_matches(['`', ' ', '\n', ':', ',']).len()..])
        }
        None => word.to_owned(),
    };
    message.split_inclusive([' ', '\n']).map(word).collect()
}

/// The nearest of `names` to `written`, if one is near enough to be what was meant.
pub fn nearest<'a>(written: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if written.len() > LONGEST {
        return None;
    }
    ranked(written, names).min_by_key(|(distance, _)| *distance).map(|(_, name)| name)
}

/// The names that are near enough, and how far they are.
fn ranked<'a>(written: &str, names: impl IntoIterator<Item = &'a str>) -> impl Iterator<Item = (usize, &'a str)> {
    let normal = |name: &str| name.to_lowercase().replace(['_', ' '], "-");
    let wanted = normal(written);
    // About one slip in three characters; more than that is another word.
    let length = wanted.chars().count();
    let most = (length / 3).max(1);
    names
        .into_iter()
        // So different in length that no comparison is needed, which takes for ever where a word has megabytes.
        .filter(move |name| name.chars().count().abs_diff(length) <= most)
        .map(move |name| (strsim::damerau_levenshtein(&wanted, &normal(name)), name))
        .filter(move |(distance, _)| *distance <= most)
}

/// All of `names` that are near enough to `written`, the nearest first.
pub fn near<'a>(written: &str, names: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    if written.len() > LONGEST {
        return Vec::new();
    }
    let mut found: Vec<_> = ranked(written, names).collect();
    found.sort();
    found.into_iter().map(|(_, name)| name).collect()
}

/// Names for a sentence: `a, b and c`; `none` where there are none.
pub fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<_> = names.into_iter().map(|name| format!("`{name}`")).collect();
    match names.split_last() {
        None => "none".to_owned(),
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endless_words_are_cut() {
        let message = format!("`{}` is no kind of source", "x".repeat(5000));
        assert_eq!(short(&message), format!("`{}…` is no kind of source", "x".repeat(99)));
        assert_eq!(short("did you mean `watch`?"), "did you mean `watch`?");
    }

    #[test]
    fn the_nearest_name_is_near() {
        let names = ["build-for", "build-requires", "watch"];
        assert_eq!(nearest("build_fro", names), Some("build-for"));
        assert_eq!(nearest("wacth", names), Some("watch"));
        assert_eq!(nearest("zebra", names), None);
        assert_eq!(list(names), "`build-for`, `build-requires` and `watch`");
    }
}
