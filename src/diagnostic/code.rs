//! The codes that there are: what each stands for in general. A problem's own words are in `problem/`; a test keeps the
//! two together.

use super::Severity::{self, Error, Notice, Warning};
use super::suggest;

/// A code: what a [`Problem`](super::Problem) is called by programs, and by people who look it up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code {
    /// `family::name`. It never changes its meaning.
    pub name: &'static str,
    /// How bad it is, where the user says nothing else.
    pub severity: Severity,
    /// What it stands for, in one clause.
    pub summary: &'static str,
}

const fn code(name: &'static str, severity: Severity, summary: &'static str) -> Code {
    Code { name, severity, summary }
}

/// All codes, alphabetical.
pub(super) const CODES: &[Code] = &[
    code("allow::error", Warning, "A comment allows an error, which cannot be allowed"),
    code("allow::syntax", Warning, "A comment to farmout is not understood"),
    code("allow::unknown", Warning, "A comment allows a code that does not exist"),
    code("allow::unused", Notice, "A comment allows what does not occur"),
    code("build::duplicate", Error, "Two manifests have a build of the same name"),
    code("build::name", Warning, "A build has a name that is taken for something else"),
    code("build::unprintable", Error, "A build has a name that cannot be seen"),
    code("buildout::develop", Error, "A directory to develop does not exist"),
    code("buildout::duplicate-option", Warning, "A buildout sets an option twice in one section"),
    code("buildout::duplicate-section", Warning, "A buildout has two sections of the same name"),
    code("buildout::extends-cycle", Error, "Configurations extend each other in a circle"),
    code("buildout::extends-missing", Error, "A configuration extends a file that does not exist"),
    code("buildout::header", Error, "A section header of a buildout is not well written"),
    code("buildout::macro-cycle", Error, "Sections of a buildout take options from each other in a circle"),
    code("buildout::no-section", Error, "Something stands before a buildout's first section"),
    code("buildout::not-carried", Error, "A buildout needs a file that is not sent to the slave"),
    code("buildout::option", Warning, "A buildout refers to an option that is not set"),
    code("buildout::part-missing", Error, "The part that drives the server does not exist"),
    code("buildout::part-not-installed", Error, "The part that drives the server is never installed"),
    code("buildout::part-recipe", Error, "A part has no recipe"),
    code("buildout::reference", Error, "A reference to an option is not well written"),
    code("buildout::reference-cycle", Error, "A value of a buildout is made of itself"),
    code("buildout::revision", Warning, "A revision is given for a source that does not exist"),
    code("buildout::section", Error, "A buildout refers to a section that does not exist"),
    code("buildout::source-kind", Error, "A buildout names a kind of source that does not exist"),
    code("buildout::source-words", Error, "A source of a buildout has too few or too many words"),
    code("buildout::syntax", Error, "A line of a buildout is neither a section, nor an option, nor a comment"),
    code("capability::conflict", Error, "An option of a capability has two values"),
    code("capability::declaration", Error, "A declaration of a capability names what is not declared"),
    code("capability::duplicate", Error, "A capability is declared twice"),
    code("capability::lacking", Error, "A slave lacks an option that a step cannot do without"),
    code("capability::option", Warning, "A capability has no such option"),
    code("capability::same-port", Warning, "Two PostgreSQL clusters of a slave have the same port"),
    code("capability::shadowed", Warning, "An option of a capability has no effect beside another"),
    code("capability::two-forms", Error, "A slave offers one version both by properties and by a capability line"),
    code("capability::unknown", Warning, "A slave offers a capability whose name is nearly that of another"),
    code("capability::word", Error, "A word of a capability line is neither a version nor an option"),
    code("dispatch::builder-twice", Error, "Two builds make builders of the same name"),
    code("dispatch::database", Notice, "A builder's name is too long for a database's"),
    code("dispatch::highest", Notice, "A slave offers several versions that meet a requirement"),
    code("dispatch::no-builder", Warning, "No slave can take a build"),
    code("dispatch::too-many", Error, "A build or the farm comes to more builders than anybody can run"),
    code("dispatch::twice", Error, "`build-for` names a capability twice"),
    code("dispatch::unmet", Warning, "A requirement that no slave of the farm meets"),
    code("farm::duplicate-key", Error, "A key of a YAML file is there twice"),
    code("farm::folder", Error, "A folder of step templates does not exist"),
    code("farm::key", Error, "A YAML file of the farm has a key that does not exist"),
    code("farm::missing", Warning, "A slave fragment that farm.yaml names does not exist"),
    code("farm::missing-key", Error, "A YAML file of the farm lacks a key"),
    code("farm::placeholder", Error, "A placeholder that nothing fills in"),
    code("farm::program", Warning, "A program that farm.yaml names does not exist, or cannot be run"),
    code("farm::value", Error, "A value in a YAML file of the farm is not of its kind"),
    code("farm::yaml", Error, "A YAML file of the farm cannot be read"),
    code("filter::comment", Error, "A filter holds what was meant as a comment"),
    code("filter::impossible", Error, "A filter that no version can pass"),
    code("filter::keyword", Error, "`AND` or `OR` has no criterion on one side"),
    code("filter::no-capability", Error, "A line of filters names no capability"),
    code("filter::no-operator", Error, "A version in a filter is compared with nothing"),
    code("filter::no-version", Error, "An operator in a filter has no version"),
    code("filter::not-used", Error, "`not-used` stands where it has no meaning"),
    code("filter::operator", Error, "A filter has an operator that does not exist"),
    code("filter::word", Error, "A filter has a word without meaning"),
    code("inherit::cycle", Error, "Sections inherit from each other in a circle"),
    code("inherit::unknown", Error, "A section inherits from one that does not exist"),
    code("ini::binary", Error, "A file is no text"),
    code("ini::duplicate-option", Warning, "An option is set twice in one section"),
    code("ini::duplicate-section", Warning, "A file has two sections of the same name"),
    code("ini::hash-in-value", Warning, "A value holds `#`, which begins no comment there"),
    code("ini::indented", Error, "An indented line continues nothing"),
    code("ini::indented-comment", Warning, "An indented comment is part of a value"),
    code("ini::indented-option", Warning, "An indented line that looks like an option is part of a value"),
    code("ini::no-section", Error, "Something stands before the first section"),
    code("ini::section-header", Error, "A section header is not written `[name]`"),
    code("ini::syntax", Error, "A line is neither a section, nor an option, nor a comment"),
    code("interpolation::cycle", Error, "A value is made of itself"),
    code("interpolation::depth", Error, "Values refer to each other too deeply"),
    code("interpolation::length", Error, "Values that refer to each other grow too long"),
    code("interpolation::percent", Error, "`%` begins no reference in a value that has some"),
    code("interpolation::unknown", Error, "A value refers to an option that is not set"),
    code("option::choice", Error, "An option has none of the values that it may have"),
    code("option::empty", Error, "An option is set to nothing and must not be"),
    code("option::idle", Warning, "An option counts only together with another"),
    code("option::length", Error, "A value is too long to be what its option takes"),
    code("option::property", Error, "A property in a value is not well written"),
    code("option::required", Error, "A step needs an option that is not set"),
    code("option::shadowed", Warning, "A default that every section replaces"),
    code("option::two-spellings", Warning, "An option is set in two spellings"),
    code("option::unread", Warning, "Nothing reads an option"),
    code("option::unused", Notice, "An option does nothing any more"),
    code("option::value", Error, "An option's value is not of the right kind"),
    code("secret::ambiguous", Notice, "A password may be the name of a file or of a variable"),
    code("secret::carried", Warning, "A configuration that plans carry has a password in it"),
    code("secret::indented", Error, "A password is part of the value of another option"),
    code("secret::readable", Warning, "Every user of the machine can read a file with passwords"),
    code("secret::shared", Warning, "Two slaves have the same password"),
    code("secret::tracked", Warning, "A file with passwords is kept in git"),
    code("secret::unchecked", Notice, "git does not tell whether it keeps a file with passwords"),
    code("secret::weak", Warning, "A password is easily guessed"),
    code("slave::duplicate", Error, "Two fragments have a slave of the same name"),
    code("slave::near-option", Warning, "A property has nearly the name of an option of slaves"),
    code("slave::no-password", Error, "A slave has no password"),
    code("slave::none", Warning, "The farm has no slave"),
    code("slave::unused", Warning, "No builder can use a slave"),
    code("source::carry", Error, "A plan cannot carry what a buildout consists of"),
    code("source::directory", Error, "A directory cannot be sent along with a buildout"),
    code("source::encoding", Error, "A file is not in UTF-8"),
    code("source::kind", Error, "There is no such kind of source"),
    code("source::leaves", Error, "A path leads out of the repository or the archive"),
    code("source::missing", Error, "A buildout configuration does not exist"),
    code("source::option", Error, "A kind of source has no such option"),
    code("source::outside", Error, "A buildout configuration is outside of the farm"),
    code("source::property", Error, "An archive is named by something that is no property"),
    code("source::unreadable", Error, "A buildout configuration cannot be read"),
    code("source::words", Error, "A source has too few or too many words"),
    code("steps::alias", Notice, "A step is called by an old name"),
    code("steps::capability", Error, "A step asks for a capability that its build does not have"),
    code("steps::command", Error, "A step has no command, or one too many"),
    code("steps::duplicate", Error, "Two step templates, or two steps of one, have the same name"),
    code("steps::expression", Error, "A step template has a mistake"),
    code("steps::needs", Error, "A step makes no sense without another one"),
    code("steps::option", Error, "A step template reads an option that it does not declare"),
    code("steps::twice", Warning, "A step is listed twice"),
    code("steps::unknown", Error, "There is no such step template"),
    code("steps::unused-option", Warning, "A step template declares an option that nothing reads"),
    code("steps::use", Error, "A step template cannot use another"),
    code("steps::use-cycle", Error, "Step templates use each other in a circle"),
    code("version::syntax", Error, "A version cannot be read"),
];

/// One code, or all of a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pattern {
    /// `family::name`
    Code(&'static Code),
    /// `family::*`; the text is `family::`.
    Family(&'static str),
}

impl Pattern {
    /// Reads it; none if there is no such code.
    pub(super) fn parse(written: &str) -> Option<Self> {
        match written.strip_suffix('*') {
            Some(family) => families().find(|known| *known == family).map(Self::Family),
            None => find(written).map(Self::Code),
        }
    }

    /// Whether it stands for a code.
    pub(super) fn matches(self, name: &str) -> bool {
        match self {
            Self::Code(code) => code.name == name,
            Self::Family(family) => name.starts_with(family),
        }
    }

    /// Whether all that it stands for are errors.
    pub(super) fn only_errors(self) -> bool {
        CODES.iter().filter(|code| self.matches(code.name)).all(|code| code.severity == Error)
    }
}

/// The code of this name.
pub(super) fn find(name: &str) -> Option<&'static Code> {
    CODES.binary_search_by(|code| code.name.cmp(name)).ok().and_then(|at| CODES.get(at))
}

/// The code, or the family in the form `family::*`, that is nearest to what was written.
pub(super) fn nearest(written: &str) -> Option<String> {
    let names = || CODES.iter().map(|code| code.name);
    if let Some(family) = written.strip_suffix('*') {
        return suggest::nearest(family, families()).map(|family| format!("{family}*"));
    }
    // A family's name alone is the family.
    if let Some(family) = families().find(|family| family.trim_end_matches(':') == written.trim_end_matches(':')) {
        return Some(format!("{family}*"));
    }
    suggest::nearest(written, names())
        .or_else(|| names().find(|name| name.split_once("::").is_some_and(|(_, name)| name == written)))
        .map(str::to_owned)
}

/// The beginnings of codes: `family::`. Each comes as often as the family has codes.
fn families() -> impl Iterator<Item = &'static str> {
    CODES.iter().filter_map(|code| code.name.find("::").map(|at| &code.name[..at + 2]))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Every code that a file in `problem/` words is in the table with its severity, and no other is.
    #[test]
    fn the_table_is_complete() {
        let pattern = regex::Regex::new(r#"word\(\s*"([^"]+)",\s*(Error|Warning|Notice),"#).unwrap();
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/diagnostic/problem");
        let families = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let families = families.filter(|path| !path.ends_with("mod.rs"));
        let source: String = families.map(|path| std::fs::read_to_string(path).unwrap()).collect();
        let source = source.as_str();
        let worded: BTreeSet<(String, String)> =
            pattern.captures_iter(source).map(|found| (found[1].to_owned(), found[2].to_owned())).collect();
        let table: BTreeSet<_> =
            CODES.iter().map(|code| (code.name.to_owned(), format!("{:?}", code.severity))).collect();
        assert_eq!(worded, table);
        // Each arm is one call in the form that the pattern looks for.
        assert_eq!(pattern.captures_iter(source).count(), source.matches("word(").count());
        assert_eq!(CODES.len(), table.len(), "a code is there twice");
        assert!(CODES.is_sorted_by_key(|code| code.name));
    }

    #[test]
    fn codes_are_found_and_guessed() {
        assert!(Pattern::parse("option::*").is_some_and(|all| all.matches("option::unread") && !all.only_errors()));
        assert!(Pattern::parse("inherit::*").is_some_and(Pattern::only_errors));
        assert!(Pattern::parse("option::unread").is_some_and(|one| !one.matches("option::unused")));
        assert_eq!((Pattern::parse("option::unred"), Pattern::parse("*"), Pattern::parse("opt*")), (None, None, None));
        assert_eq!(nearest("option::unred").as_deref(), Some("option::unread"));
        assert_eq!(nearest("optoin::*").as_deref(), Some("option::*"));
        assert_eq!(nearest("option").as_deref(), Some("option::*"));
        assert_eq!(nearest("hash-in-value").as_deref(), Some("ini::hash-in-value"));
        assert_eq!(nearest("nonsense"), None);
    }
}
