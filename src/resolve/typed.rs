//! What an option is set to, by its declared type. In: a value as it is written. Out: one of that type, or the report that
//! it is none.

use crate::diagnostic::{Diagnostics, problem};
use crate::model::{OptionType, Value, no_reference};
use crate::source::Text;

/// Reads the value of an option; a number must be `minimum` or more.
pub(super) fn typed(
    option: &str,
    kind: OptionType,
    minimum: Option<u64>,
    text: &Text,
    diagnostics: &mut Diagnostics,
) -> Option<Value> {
    let value = kind.read(text).filter(|value| value.is_at_least(minimum));
    if kind == OptionType::TextWithProperties
        && let Some(place) = no_reference(text)
    {
        diagnostics.push(problem::Setting::Property { option: option.to_owned() }, text.span(place));
    } else if value.is_none() {
        let problem = problem::Setting::Value { option: option.to_owned(), expected: kind.expected_from(minimum) };
        diagnostics.push(problem, text.whole());
    }
    value
}
