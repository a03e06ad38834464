//! Placeholders in the YAML files of a farm: a text comes in, and what nothing can ever fill in is reported.

use crate::diagnostic::problem;
use crate::plan::{AT_RUN_TIME, placeholder};
use crate::source::Text;
use crate::syntax::yaml::Decoder;

/// What binding a plan to a slave fills in, besides options of capabilities.
const BOUND: [&str; 2] = ["database", "slave"];

/// The options that a capability declares: placeholders of its own name must be among them.
#[derive(Debug)]
pub(crate) struct OwnOptions<'a> {
    /// The capability.
    pub capability: &'a str,
    /// Its options.
    pub options: Vec<&'a str>,
}

/// Checks the placeholders of a text. Of `masked`, which is as long, they are read: it may lack what is no text yet.
pub(crate) fn check(text: &Text, masked: &str, own: Option<&OwnOptions<'_>>, decoder: &mut Decoder<'_>) {
    if !masked.contains("${") {
        return;
    }
    let places = match placeholder::places(masked) {
        Ok(places) => places,
        Err(placeholder::Error::Syntax(at)) => {
            let begin = masked.get(..at).and_then(|before| before.rfind("${")).unwrap_or(0);
            return decoder
                .error(problem::Farm::PlaceholderSyntax, text.span(begin..at.max(begin + 2).min(text.len())));
        }
        Err(placeholder::Error::Unknown(_)) => return,
    };
    for place in places {
        let name = &masked[place.clone()];
        let known = match (name.split_once('.'), own) {
            (None, _) if BOUND.contains(&name) || AT_RUN_TIME.contains(&name) => continue,
            (None, _) => AT_RUN_TIME.iter().chain(&BOUND).map(|name| (*name).to_owned()).collect(),
            (Some((capability, option)), Some(own)) if capability == own.capability => {
                if option == "version" || own.options.contains(&option) {
                    continue;
                }
                let options = own.options.iter().chain(&["version"]);
                options.map(|option| format!("{capability}.{option}")).collect()
            }
            // Options of other capabilities, secrets, and properties of earlier steps.
            (Some(_), _) => continue,
        };
        decoder.error(problem::Farm::Placeholder { name: name.to_owned(), known }, text.span(place));
    }
}
