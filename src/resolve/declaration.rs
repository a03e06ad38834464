//! Declarations of capabilities: YAML to the model. The built-in ones are read by the same code.

use indexmap::IndexMap;

use super::placeholder::{self, OwnOptions};
use crate::diagnostic::problem;
use crate::model::{Declaration, OptionDeclaration, OptionType, Properties, Variant};
use crate::source::{Span, Text};
use crate::syntax::yaml::{Decoder, Fields, Node};

const KEYS: [&str; 9] = [
    "capability",
    "help",
    "abbreviation",
    "version-property",
    "options",
    "path",
    "environment",
    "variants",
    "properties",
];

/// The types of options, as files name them.
pub(crate) const TYPES: [(&str, OptionType); 12] = [
    ("boolean", OptionType::Boolean),
    ("commands", OptionType::Commands),
    ("integer", OptionType::Integer),
    ("lines", OptionType::Lines),
    ("list", OptionType::List),
    ("number", OptionType::Number),
    ("part", OptionType::Part),
    ("port", OptionType::Port),
    ("seconds", OptionType::Seconds),
    ("text", OptionType::Text),
    ("text-with-properties", OptionType::TextWithProperties),
    ("words", OptionType::Words),
];

/// A declaration that was read, and where it says what.
#[derive(Debug)]
pub struct Declared {
    /// The declaration.
    pub declaration: Declaration,
    /// Where its name stands.
    pub name: Span,
    /// The templates that its variants name, in their order.
    pub templates: Vec<(String, Span)>,
}

/// Reads the declaration of a capability; none where it has no name.
pub(crate) fn declaration(decoder: &mut Decoder<'_>, node: &Node) -> Option<Declared> {
    let fields = decoder.fields(node, "a capability", &KEYS)?;
    let name = fields.required(decoder, "capability").and_then(|node| name(decoder, node));
    let help = fields.words(decoder, "help").unwrap_or_default();
    let options: IndexMap<String, OptionDeclaration> = fields
        .get("options")
        .map(|node| decoder.map(node, "options by name", |decoder, _, node| option(decoder, node)))
        .unwrap_or_default();
    let written = name.as_ref().map(|(name, _)| name.clone()).unwrap_or_default();
    let own = OwnOptions { capability: &written, options: options.keys().map(String::as_str).collect() };
    let path = fields.texts(decoder, "path", "a list of directories");
    path.iter().for_each(|text| placeholder::check(text, text, Some(&own), decoder));
    let path = path.iter().map(|text| text.to_string()).collect();
    let environment = fields.get("environment").map(|node| {
        environment(decoder, node, &mut |decoder, text| {
            placeholder::check(text, text, Some(&own), decoder);
        })
    });
    let mut templates = Vec::new();
    let variants = fields
        .get("variants")
        .map(|node| {
            decoder.list(node, "a list of variants", |decoder, node| {
                variant(decoder, node, &own, &options, &mut templates)
            })
        })
        .unwrap_or_default();
    let properties = fields.get("properties").and_then(|node| properties(decoder, node, &own));
    let (abbreviation, version_property) =
        (fields.text(decoder, "abbreviation"), fields.text(decoder, "version-property"));
    let environment = environment.unwrap_or_default();
    let (name, span) = name?;
    let declaration =
        Declaration { name, help, abbreviation, version_property, options, path, environment, variants, properties };
    Some(Declared { declaration, name: span, templates })
}

/// The name of a capability: a word of a manifest's lines.
fn name(decoder: &mut Decoder<'_>, node: &Node) -> Option<(String, Span)> {
    let expected = "a name of letters, digits, `-` and `_`";
    let text = decoder.word(node, expected)?;
    let fine = text.chars().all(|c| c.is_alphanumeric() || "-_".contains(c));
    if fine { Some((text.to_string(), text.whole())) } else { decoder.unexpected(expected, node) }
}

fn option(decoder: &mut Decoder<'_>, node: &Node) -> Option<OptionDeclaration> {
    let fields = decoder.fields(node, "an option of a capability", &["help", "type", "choices", "secret", "unused"])?;
    let choices = fields.texts(decoder, "choices", "a list of values");
    Some(OptionDeclaration {
        help: fields.words(decoder, "help").unwrap_or_default(),
        kind: fields.get("type").and_then(|node| decoder.choice(node, &TYPES)).unwrap_or_default(),
        choices: choices.iter().map(|text| text.to_string()).collect(),
        secret: fields.get("secret").and_then(|node| decoder.boolean(node)).unwrap_or_default(),
        unused: fields.text(decoder, "unused"),
    })
}

/// Environment variables. Their values are given to `check`.
pub(crate) fn environment(
    decoder: &mut Decoder<'_>,
    node: &Node,
    check: &mut dyn FnMut(&mut Decoder<'_>, &Text),
) -> IndexMap<String, String> {
    decoder.map(node, "environment variables and their values", |decoder, key, node| {
        let letter = |c: char| c.is_ascii_alphabetic() || c == '_';
        if !key.starts_with(letter) || !key.chars().all(|c| letter(c) || c.is_ascii_digit()) {
            decoder.error(problem::Farm::variable(key), key.whole());
        }
        let text = decoder.text(node)?;
        check(decoder, text);
        Some(text.to_string())
    })
}

fn variant(
    decoder: &mut Decoder<'_>,
    node: &Node,
    own: &OwnOptions<'_>,
    options: &IndexMap<String, OptionDeclaration>,
    templates: &mut Vec<(String, Span)>,
) -> Option<Variant> {
    let fields = decoder.fields(node, "a variant", &["option", "is", "options", "environment", "template"])?;
    let option = fields.required(decoder, "option").and_then(|node| known_option(decoder, node, own));
    let is = fields.required(decoder, "is").and_then(|node| decoder.text(node));
    if let (Some(option), Some(is)) = (&option, is)
        && let Some(declared) = options.get(option)
        && !(declared.choices.is_empty() || declared.choices.iter().any(|choice| **choice == **is))
    {
        let choices: Vec<_> = declared.choices.iter().map(|choice| (choice.as_str(), ())).collect();
        fields.get("is").and_then(|node| decoder.choice(node, &choices));
    }
    let mut check = |decoder: &mut Decoder<'_>, text: &Text| placeholder::check(text, text, Some(own), decoder);
    let replaced = fields.get("options").map(|node| {
        decoder.map(node, "options and their values", |decoder, key, node| {
            unknown_option(decoder, key, own);
            let text = decoder.text(node)?;
            check(decoder, text);
            Some(text.to_string())
        })
    });
    let environment = fields.get("environment").map(|node| environment(decoder, node, &mut check));
    let template = fields.get("template").and_then(|node| decoder.text(node));
    templates.extend(template.map(|template| (template.to_string(), template.whole())));
    Some(Variant {
        option: option?,
        is: is?.to_string(),
        options: replaced.unwrap_or_default(),
        environment: environment.unwrap_or_default(),
        template: template.map(|text| text.to_string()),
    })
}

fn known_option(decoder: &mut Decoder<'_>, node: &Node, own: &OwnOptions<'_>) -> Option<String> {
    let text = decoder.text(node)?;
    unknown_option(decoder, text, own);
    Some(text.to_string())
}

/// Reports an option that the capability does not declare.
fn unknown_option(decoder: &mut Decoder<'_>, option: &Text, own: &OwnOptions<'_>) {
    if !own.options.contains(&&**option) {
        let known = own.options.iter().map(|option| (*option).to_owned()).collect();
        decoder.error(
            problem::Capability::Undeclared {
                option: option.to_string(),
                capability: own.capability.to_owned(),
                known,
            },
            option.whole(),
        );
    }
}

fn properties(decoder: &mut Decoder<'_>, node: &Node, own: &OwnOptions<'_>) -> Option<Properties> {
    let fields: Fields<'_> = decoder.fields(node, "the old properties of a capability", &["version", "options"])?;
    let version = fields.words(decoder, "version");
    let options = fields.get("options").map(|node| {
        decoder.map(node, "options, and the properties that hold them", |decoder, key, node| {
            unknown_option(decoder, key, own);
            decoder.text(node).map(|text| text.to_string())
        })
    });
    Some(Properties { version: version?, options: options.unwrap_or_default() })
}
