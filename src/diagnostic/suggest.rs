//! Did you mean? The nearest of the names that would have been right.

/// Nobody means a name longer than this, and comparing a broken file's lines with names would take for ever.
const LONGEST: usize = 100;

/// A text as it is put into a message: of one that nobody would read, its beginning.
pub fn short(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// The nearest of `names` to `written`, if one is near enough to be what was meant.
pub fn nearest<'a>(written: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if written.len() > LONGEST {
        return None;
    }
    let normal = |name: &str| name.to_lowercase().replace(['_', ' '], "-");
    let wanted = normal(written);
    // About one slip in three characters; more than that is another word.
    let most = (wanted.chars().count() / 3).max(1);
    names
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&wanted, &normal(name)), name))
        .filter(|(distance, _)| *distance <= most)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
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
    fn the_nearest_name_is_near() {
        let names = ["build-for", "build-requires", "watch"];
        assert_eq!(nearest("build_fro", names), Some("build-for"));
        assert_eq!(nearest("wacth", names), Some("watch"));
        assert_eq!(nearest("zebra", names), None);
        assert_eq!(list(names), "`build-for`, `build-requires` and `watch`");
    }
}
