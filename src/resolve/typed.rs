//! What an option is set to, by its declared type. In: a value as it is written. Out: one of that type, or the report that
//! it is none.

use crate::diagnostic::{Diagnostics, problem};
use crate::model::{OptionType, Value};
use crate::source::Span;

/// Reads the value of an option.
pub(super) fn typed(
    option: &str,
    kind: OptionType,
    text: &str,
    span: Span,
    diagnostics: &mut Diagnostics,
) -> Option<Value> {
    let value = kind.read(text);
    if value.is_none() {
        diagnostics.push(problem::Setting::Value { option: option.to_owned(), expected: kind.expected() }, span);
    }
    value
}
