//! JSON Schemas of the YAML files, for editors. They are made from the types that the files are read into, with what is
//! said of those here; no file is read.

use schemars::transform::{RecursiveTransform, Transform as _};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::Value;

use crate::plan::Plan;
use crate::resolve::FarmFile;
use crate::steps::TemplateFile;

/// Of `farm.yaml`.
pub fn farm() -> Schema {
    written::<FarmFile>()
}

/// Of plans.
pub fn plan() -> Schema {
    SchemaGenerator::default().into_root_schema_for::<Plan>()
}

/// Of step templates.
pub fn template() -> Schema {
    written::<TemplateFile>()
}

/// The schema of a file that a person writes: a text may look like a number or a truth value, and is taken as it is.
fn written<T: JsonSchema>() -> Schema {
    let mut schema = SchemaGenerator::default().into_root_schema_for::<T>();
    let mut texts = RecursiveTransform(|schema: &mut Schema| {
        if schema.get("enum").is_some() || schema.get("const").is_some() {
            return;
        }
        match schema.get("type") {
            Some(Value::String(kind)) if kind == "string" => {
                schema.insert("type".to_owned(), Value::from(vec!["string", "number", "boolean"]));
            }
            Some(Value::Array(kinds)) if kinds.iter().any(|kind| kind == "string") => {
                schema.insert("type".to_owned(), Value::from(vec!["string", "number", "boolean", "null"]));
            }
            _ => {}
        }
    });
    texts.transform(&mut schema);
    schema
}
