//! The words for problems with buildout configurations.

use super::Severity::{Error, Warning};
use super::{Wording, closes, did_you_mean, names, word};

/// A problem in a buildout configuration. Alphabetical.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the wording below says what each is")]
pub enum Buildout {
    Develop { directory: String },
    DuplicateOption { option: String },
    DuplicateSection { section: String },
    ExtendsCycle { chain: Vec<String> },
    ExtendsDirectory { path: String, files: Vec<String> },
    ExtendsMissing { path: String, near: Option<String> },
    Header { written: String },
    MacroCycle { chain: Vec<String> },
    NoSection,
    NotCarried { path: String, directory: Option<String>, with: Option<String> },
    Option { section: String, option: String, known: Vec<String> },
    Outside { path: String },
    PartMissing { part: String, parts: Vec<String> },
    PartNotInstalled { part: String },
    PartRecipe { part: String },
    Reference { written: String },
    ReferenceCycle { chain: Vec<String> },
    Revision { destination: String, known: Vec<String> },
    Section { section: String, known: Vec<String> },
    SourceKind { kind: String, known: Vec<String> },
    SourceWords { usage: &'static str, extra: bool },
    Syntax,
}

impl Buildout {
    /// The words for it.
    pub(super) fn wording(&self) -> Wording {
        match self {
            Self::Develop { directory } => word(
                "buildout::develop",
                Error,
                &format!("there is no directory `{directory}` to develop"),
                "no such directory",
                "`develop` names directories beside the configuration, which are sent along by `with=`",
            ),
            Self::DuplicateOption { option } => word(
                "buildout::duplicate-option",
                Warning,
                &format!("`{option}` is set twice in this section"),
                "this one counts",
                "remove one of them, or write `+=` to add to the first",
            ),
            Self::DuplicateSection { section } => word(
                "buildout::duplicate-section",
                Warning,
                &format!("there are two sections `[{section}]`"),
                "merged with the first; options set here win",
                "join them, or rename one",
            ),
            Self::ExtendsCycle { chain } => word(
                "buildout::extends-cycle",
                Error,
                &format!("configurations extend each other in a circle: {}", chain.join(" → ")),
                &closes(chain, "extends"),
                "remove one `extends` of the circle",
            ),
            Self::ExtendsDirectory { path, files } => word(
                "buildout::extends-missing",
                Error,
                &format!("`{path}` is a directory, and no file to extend"),
                "a directory",
                &match files.as_slice() {
                    [] => format!("name a file, such as `{}/base.cfg`: this directory has none", path.trim_end_matches('/')),
                    files => {
                        let more = if files.len() > 12 { ", …" } else { "" };
                        format!("name a file in it: {}{more}", names(&files[..files.len().min(12)]))
                    }
                },
            ),
            Self::ExtendsMissing { path, near } => word(
                "buildout::extends-missing",
                Error,
                "the file to extend does not exist",
                "no such file",
                &match near {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("looked for `{path}`: the path is relative to the file that extends it"),
                },
            ),
            Self::Header { written } => word(
                "buildout::header",
                Error,
                "a section header is written `[name]` or `[name : condition]`",
                "not a whole section header",
                &match written.trim_matches(['[', ']']).trim() {
                    name if name.is_empty() || name.contains(['[', ']', '{', '}', ' ', ':', '#', ';']) => {
                        "a name has no white space, and none of [ ] { } : # ; in it".to_owned()
                    }
                    name => format!("write `[{name}]`"),
                },
            ),
            Self::MacroCycle { chain } => word(
                "buildout::macro-cycle",
                Error,
                &format!("sections take options from each other in a circle: {}", chain.join(" → ")),
                &closes(chain, "takes the options of"),
                "remove one `<=` of the circle",
            ),
            Self::NoSection => word(
                "buildout::no-section",
                Error,
                "this stands before the first section",
                "belongs to no section",
                "write a section header such as `[buildout]` above it",
            ),
            Self::NotCarried { path, directory, with } => word(
                "buildout::not-carried",
                Error,
                &format!("`{path}` is not sent to the slave"),
                "will not be there",
                &match (with, directory) {
                    (Some(with), _) => format!("only what is below `{with}` is sent along, as `with=` says: move it there"),
                    (None, Some(directory)) => format!("send its directory along: `standalone PATH with={directory}`"),
                    (None, None) => {
                        "move it into a directory beside the configuration, and send that along: `standalone PATH with=DIRECTORY`".to_owned()
                    }
                },
            ),
            Self::Option { section, option, known } => word(
                "buildout::option",
                Warning,
                &format!("`[{section}]` has no option `{option}`"),
                "refers to nothing",
                &did_you_mean(option, known).unwrap_or_else(|| format!("set `{option}` in `[{section}]`")),
            ),
            Self::Outside { path } => word(
                "buildout::not-carried",
                Error,
                &format!("`{path}` is outside of the farm, and not sent to the slave"),
                "not read",
                "move it into a directory beside the configuration, and send that along: `standalone PATH with=DIRECTORY`",
            ),
            Self::PartMissing { part, parts } => word(
                "buildout::part-missing",
                Error,
                &format!("the buildout has no part `{part}`, which is to drive the server"),
                "no section of that name is in this configuration",
                &match did_you_mean(part, parts) {
                    Some(near) => near,
                    None => format!("name the part by `buildout-part`; the parts are {}", names(parts)),
                },
            ),
            Self::PartNotInstalled { part } => word(
                "buildout::part-not-installed",
                Error,
                &format!("the part `{part}`, which is to drive the server, is never installed"),
                "not among the buildout's `parts`",
                &format!("add `{part}` to `parts` in `[buildout]`"),
            ),
            Self::PartRecipe { part } => word(
                "buildout::part-recipe",
                Error,
                &format!("the part `{part}` has no recipe"),
                "no recipe says how to install this",
                &format!("set `recipe` in `[{part}]`"),
            ),
            Self::Reference { written } => word(
                "buildout::reference",
                Error,
                &format!("`{written}` is no reference to an option"),
                "not `${section:option}`",
                "write `$${` for the characters themselves, or `${:option}` for an option of the same section",
            ),
            Self::ReferenceCycle { chain } => word(
                "buildout::reference-cycle",
                Error,
                &format!("this value is made of itself: {}", chain.join(" → ")),
                &closes(chain, "refers to"),
                "write one of the values out",
            ),
            Self::Revision { destination, known } => word(
                "buildout::revision",
                Warning,
                &format!("no source is put into `{destination}`"),
                "fixes the revision of nothing",
                &did_you_mean(destination, known).unwrap_or_else(|| match known.is_empty() {
                    true => "the main source is meant by a line that is a revision only".to_owned(),
                    false => format!("the sources in `addons` are put into {}", names(known)),
                }),
            ),
            Self::Section { section, known } => word(
                "buildout::section",
                Error,
                &format!("there is no section `[{section}]`"),
                "not a section of this configuration",
                &did_you_mean(section, known).unwrap_or_else(|| format!("write a section `[{section}]`")),
            ),
            Self::SourceKind { kind, known } => word(
                "buildout::source-kind",
                Error,
                &format!("`{kind}` is no kind of source here"),
                "not known",
                &match did_you_mean(kind, known) {
                    _ if kind.starts_with('#') => "begin the comment in the first column".to_owned(),
                    Some(near) => near,
                    None => format!("the kinds are {}", names(known)),
                },
            ),
            Self::SourceWords { usage, extra } => word(
                "buildout::source-words",
                Error,
                &format!("this has too {} words", if *extra { "many" } else { "few" }),
                if *extra { "nothing of this form is expected here" } else { "something is missing" },
                &format!("it is written `{usage}`"),
            ),
            Self::Syntax => word(
                "buildout::syntax",
                Error,
                "this is neither a section, nor an option, nor a comment",
                "not understood",
                "write `name = value`; indent the line if it continues the value above it",
            ),
        }
    }
}
