//! What the YAML parser says, in words for a person who does not know its grammar.

/// What is wrong, and what to do about it, for a message of the parser.
pub(super) fn of(message: &str) -> (&str, &'static str) {
    let has = |part: &str| message.contains(part);
    if has("mapping values are not allowed") {
        (
            "a `:` cannot stand here",
            "quote a value that holds `: `, and begin a key where the others of its level begin",
        )
    } else if has("tab") {
        ("a tab stands where blanks belong", "indent with blanks only")
    } else if has("anchor") && has("unknown") {
        ("no anchor of this name comes before", "an alias `*name` needs an earlier `&name`")
    } else if has("unexpected end of stream") || has("unexpected eof") {
        ("the file ends inside a value", "a quotation mark or a bracket is not closed")
    } else if has("did not find expected ',' or") || has("misplaced bracket") || has("placement of ':'") {
        ("a list or mapping in brackets is not well written", "put a comma between two items, and close each bracket")
    } else if has("unknown escape") || has("hexadecimal") {
        ("`\\` begins no known character here", "write `\\\\` for a backslash, or use single quotation marks")
    } else if has("recursion") {
        ("the file is nested too deeply", "no file of a farm needs this")
    } else if has("document indicator") || has("document end") || has("document start") {
        ("a file of a farm is one document", "remove the `---` or `...`")
    } else if has("block scalar") {
        ("a text after `|` or `>` is not well indented", "indent all of its lines alike, deeper than its key")
    } else if has("cannot start any token") || has("unexpected character") {
        ("a value cannot begin with this character", "put the value in quotation marks")
    } else if has("expected key")
        || has("simple key")
        || has("indentation")
        || has("block entries")
        || has("block mapping")
        || has("expected '-'")
        || has("block collection")
    {
        (
            "this line does not fit the lines above it",
            "check its indentation, its `:` and the quotation marks before it",
        )
    } else {
        (message, "")
    }
}
