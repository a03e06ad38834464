//! The options that a step template declares: a node of its file in, a declaration out, each mistake reported at its place.

use super::expression::Checker;
use crate::diagnostic::problem;
use crate::model::{Declared, OptionType};
use crate::resolve::TYPES;
use crate::source::Text;
use crate::syntax::yaml::{Decoder, Node};

/// The name of an option: manifests spell it, and theirs are in lower case.
pub(super) fn option_name(name: &Text, decoder: &mut Decoder<'_>) {
    let odd = |c: char| c.is_uppercase() || c.is_whitespace() || matches!(c, '=' | ':' | '[' | ']' | '#' | ';' | '%');
    if name.is_empty() || name.contains(odd) {
        let expected = "the name of an option, in lower case and without blanks, as manifests write it".to_owned();
        let found = format!("`{}`", &**name);
        decoder.error(problem::Farm::Value { expected, found, help: None }, name.whole());
    }
}

/// The declaration of an option.
pub(super) fn option(decoder: &mut Decoder<'_>, node: &Node, checker: &mut Checker<'_>) -> Option<Declared> {
    let known =
        ["type", "help", "default", "aliases", "choices", "required", "minimum", "non-empty", "not-below", "only-with"];
    let fields = decoder.fields(node, "an option", &known)?;
    let kind: Option<OptionType> = fields.required(decoder, "type").and_then(|node| decoder.choice(node, &TYPES));
    let help = fields.words(decoder, "help");
    let minimum = fields.get("minimum").and_then(|node| minimum(decoder, node, kind));
    let default = fields.get("default").and_then(|node| Some((node, decoder.text(node)?)));
    if let Some((node, default)) = default {
        if default.contains("{{") || default.contains("{%") {
            checker.default(default, decoder);
        } else if let Some(kind) = kind
            && kind.read(default).is_none_or(|value| !value.is_at_least(minimum))
        {
            let expected = kind.expected_from(minimum);
            decoder.unexpected::<()>(&format!("{expected}, as its type says"), node);
        }
    }
    let aliases = fields.texts(decoder, "aliases", "a list of names");
    aliases.iter().for_each(|alias| option_name(alias, decoder));
    let choices: Vec<String> =
        fields.texts(decoder, "choices", "a list of values").iter().map(|text| text.to_string()).collect();
    if let Some((node, default)) = default
        && !choices.is_empty()
        && !choices.iter().any(|choice| **choice == **default)
    {
        decoder.unexpected::<()>("one of `choices`", node);
    }
    let required = fields.get("required").and_then(|node| decoder.boolean(node)).unwrap_or_default();
    let non_empty = fields.get("non-empty").and_then(|node| decoder.boolean(node)).unwrap_or_default();
    let not_below = fields.get("not-below").and_then(|node| decoder.word(node, "the name of an option"));
    let only_with = fields.texts(decoder, "only-with", "a list of options");
    // They are asked for here; whether the template has them is looked at with all that it reads.
    let asked = not_below.into_iter().chain(&only_with).map(|option| (option.trim().to_owned(), option.whole()));
    checker.reads.options.extend(asked);
    Some(Declared {
        kind: kind?,
        default: default.map(|(_, text)| text.to_string()),
        help: help?,
        aliases: aliases.iter().map(|text| text.to_string()).collect(),
        required,
        choices,
        minimum,
        non_empty,
        not_below: not_below.map(|option| option.trim().to_owned()),
        only_with: only_with.iter().map(|option| option.trim().to_owned()).collect(),
    })
}

/// The least that an option may be, which only whole numbers have.
fn minimum(decoder: &mut Decoder<'_>, node: &Node, kind: Option<OptionType>) -> Option<u64> {
    let minimum = decoder.number(node, 0, "a whole number");
    if let Some(kind) = kind
        && !matches!(kind, OptionType::Integer | OptionType::Port | OptionType::Seconds)
    {
        let expected = "`minimum` beside the type `integer`, `port` or `seconds` only".to_owned();
        let found = format!("for an option that is {}", kind.expected());
        decoder.error(problem::Farm::Value { expected, found, help: None }, node.span);
    }
    minimum
}
