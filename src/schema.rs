//! JSON Schemas of the YAML files, for editors. They are made from the types that the files are read into, with what is
//! said of those here; no file is read.

use schemars::transform::{RecursiveTransform, Transform as _};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Value, json};

use crate::plan::Plan;
use crate::render::Context;
use crate::resolve::FarmFile;
use crate::steps::TemplateFile;
use crate::tool::analyze::RulesFile;

/// Of `farm.yaml`.
pub fn farm() -> Schema {
    written::<FarmFile>("farm.yaml", "What a farm of farmout says about itself. All of it is optional.")
}

/// Of what templates of a user's own are filled in with.
pub fn context() -> Schema {
    root::<Context>("context of templates", "What a template of `farmout render --template` sees of a farm.")
}

/// Of plans.
pub fn plan() -> Schema {
    root::<Plan>("plan", "What farmout does for one builder on one slave.")
}

/// Of files of log rules.
pub fn rules() -> Schema {
    let description =
        "What farmout looks for in the log of a server. Regular expressions are those of https://docs.rs/regex.";
    let mut schema = written::<RulesFile>("log rules", description);
    // With none of these every log would be fine.
    let there = |key: &str| json!({ "required": [key] });
    let some = |key: &str| json!({ "required": [key], "properties": { key: { "minItems": 1 } } });
    let finds = vec![there("extends"), some("rules"), some("required"), there("ending")];
    schema.insert("anyOf".to_owned(), Value::from(finds));
    schema
}

/// Of step templates.
pub fn template() -> Schema {
    written::<TemplateFile>(
        "step template",
        "What farmout does at one point of a build. `{{ expression }}` is filled in when the farm is compiled, `${name}` when \
         the slave is known or while the build runs.",
    )
}

fn root<T: JsonSchema>(title: &str, description: &str) -> Schema {
    let mut schema = SchemaGenerator::default().into_root_schema_for::<T>();
    schema.insert("title".to_owned(), Value::from(title));
    schema.insert("description".to_owned(), Value::from(description));
    // An editor knows nothing of the links that the documentation of the types has.
    let mut links = RecursiveTransform(|schema: &mut Schema| {
        if let Some(Value::String(description)) = schema.get_mut("description") {
            *description = description.replace("[`", "`").replace("`]", "`");
        }
    });
    links.transform(&mut schema);
    schema
}

/// The schema of a file that a person writes: a text may look like a number or a truth value, and is taken as it is.
fn written<T: JsonSchema>(title: &str, description: &str) -> Schema {
    let mut schema = root::<T>(title, description);
    let mut texts = RecursiveTransform(|schema: &mut Schema| {
        // What has a form of its own is no number.
        if ["enum", "const", "pattern"].into_iter().any(|key| schema.get(key).is_some()) {
            return;
        }
        let with = |more: &[&str]| Value::from([&["string", "number", "boolean"], more].concat());
        match schema.get("type") {
            Some(Value::String(kind)) if kind == "string" => {
                schema.insert("type".to_owned(), with(&[]));
            }
            Some(Value::Array(kinds)) if kinds.iter().any(|kind| kind == "string") => {
                schema.insert("type".to_owned(), with(&["null"]));
            }
            _ => {}
        }
    });
    texts.transform(&mut schema);
    schema
}
