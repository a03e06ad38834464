//! `ini::`, where a line is read as something that it does not look like.

use std::collections::HashSet;

use crate::diagnostic::{Diagnostics, Label, problem};
use crate::syntax::ini::Document;

/// An indented line continues the option above it, even where it looks like an option or a section of its own: in most
/// editors a tab in front of it is not seen. Where `secrets` are kept, such a line with a password is an error: the option
/// above may be one that everybody sees.
pub(crate) fn check(document: &Document, options: &HashSet<&str>, secrets: bool, diagnostics: &mut Diagnostics) {
    for setting in document.sections.iter().flat_map(|section| &section.options) {
        let first = setting.value.find('\n').map_or(setting.value.len(), |end| end + 1);
        for line in setting.value[first..].lines() {
            let name = line.split(['=', ':']).next().unwrap_or_default().trim();
            let option = name.len() < line.len() && options.contains(name.to_lowercase().as_str());
            let secret = secrets && setting.name != "capability" && name.len() < line.len() && {
                let name = name.to_lowercase();
                name.contains("passw") && !setting.name.contains("passw")
            };
            if secret {
                let problem = problem::Secret::Indented { option: setting.name.clone() };
                diagnostics.push(problem, setting.value.span_of(line)).label(setting.span, Label::ItsOption);
                continue;
            }
            let section = line.starts_with('[') && line.ends_with(']');
            if option || section {
                let problem = problem::Ini::IndentedOption { line: line.to_owned(), option: setting.name.clone() };
                let span = setting.value.span_of(line);
                diagnostics.push(problem, span).label(setting.span, Label::ItsOption);
            }
        }
    }
}
