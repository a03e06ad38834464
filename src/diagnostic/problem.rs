//! Everything that can be wrong with a farm, and the words for it: in one place, so that they are reviewed together.
//!
//! A message says what is wrong in one clause; the label says it at its place; the help says what to write instead.

use std::fmt;

use super::code::{self, Code};
use super::suggest::{list, nearest};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The farm does not compile.
    Error,
    /// It compiles, but something is most probably not what was meant.
    Warning,
    /// Something to know.
    Notice,
}

use Severity::{Error, Notice, Warning};

/// A problem. Alphabetical.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the wording below says what each is")]
pub enum Problem {
    AllowError { code: String },
    AllowSyntax,
    AllowUnknown { code: String },
    AllowUnused { code: String },
    BuildDuplicate { build: String },
    BuildoutDevelop { directory: String },
    BuildoutDuplicateOption { option: String },
    BuildoutDuplicateSection { section: String },
    BuildoutExtendsCycle { chain: Vec<String> },
    BuildoutExtendsMissing { path: String, near: Option<String> },
    BuildoutHeader { written: String },
    BuildoutMacroCycle { chain: Vec<String> },
    BuildoutNoSection,
    BuildoutNotCarried { path: String, directory: Option<String>, with: Option<String> },
    BuildoutOption { section: String, option: String, known: Vec<String> },
    BuildoutPartMissing { part: String, parts: Vec<String> },
    BuildoutPartNotInstalled { part: String },
    BuildoutPartRecipe { part: String },
    BuildoutReference { written: String },
    BuildoutReferenceCycle { chain: Vec<String> },
    BuildoutRevision { destination: String, known: Vec<String> },
    BuildoutSection { section: String, known: Vec<String> },
    BuildoutSourceKind { kind: String, known: Vec<String> },
    BuildoutSourceWords { usage: &'static str, extra: bool },
    BuildoutSyntax,
    CapabilityConflict { option: String },
    CapabilityOption { option: String, capability: String, known: Vec<String> },
    CapabilitySamePort { slave: String, port: String },
    CapabilityShadowed { option: String, by: String },
    CapabilityTwoForms { capability: String },
    CapabilityUnknown { capability: String, near: String },
    CapabilityWord { word: String },
    DispatchBuilderTwice { builder: String },
    DispatchDatabase { builder: String, database: String },
    DispatchHighest { slave: String, capability: String, taken: String, offered: Vec<String> },
    DispatchNoBuilder { build: String, reasons: Vec<String> },
    DispatchTwice { capability: String },
    DispatchUnmet { build: String, wanted: String, offered: Vec<String>, known: Vec<String> },
    FarmYaml { message: String },
    FilterComment,
    FilterImpossible,
    FilterKeyword { keyword: String },
    FilterNoCapability,
    FilterNotUsed,
    FilterNotUsedAndMore,
    FilterNoOperator { version: String },
    FilterNoVersion { operator: String },
    FilterOperator { operator: String },
    FilterWord { word: String },
    IniBinary,
    IniDuplicateOption { option: String },
    IniDuplicateSection { section: String },
    IniHashInValue,
    IniIndented,
    IniIndentedComment { option: String },
    IniIndentedOption { line: String, option: String },
    IniNoSection,
    IniSectionHeader { written: String },
    IniSyntax,
    InheritCycle { chain: Vec<String> },
    InheritUnknown { parent: String, known: Vec<String> },
    InterpolationCycle { chain: Vec<String> },
    InterpolationDepth { most: usize },
    InterpolationLength { most: usize },
    InterpolationPercent,
    InterpolationUnknown { option: String, known: Vec<String>, inherited: Option<String> },
    OptionChoice { option: String, choices: Vec<String> },
    OptionOfOtherTemplate { option: String, section: String, readers: Vec<String> },
    OptionRequired { option: String, template: String },
    OptionShadowed { option: String },
    OptionTwoSpellings { option: String },
    OptionUnread { option: String, near: Option<String> },
    OptionUnused { option: String, why: String },
    OptionValue { option: String, expected: &'static str },
    SecretIndented { option: String },
    SecretReadable { file: String },
    SecretShared { slave: String, other: String },
    SecretTracked { file: String },
    SecretWeak { slave: String },
    SlaveDuplicate { slave: String },
    SlaveNearOption { option: String, near: String },
    SlaveNone,
    SlaveNoPassword { slave: String },
    SlaveUnused { slave: String, reasons: Vec<String> },
    SourceDirectory { directory: String, inside: bool },
    SourceEncoding { byte: usize },
    SourceKind { kind: String, known: Vec<String> },
    SourceMissing { looked: Vec<String>, near: Option<String> },
    SourceNoTemplate { kind: &'static str },
    SourceOption { option: String, usage: &'static str },
    SourceUnreadable { message: String },
    SourceWords { usage: &'static str, extra: bool },
    StepAlias { alias: String, name: String },
    StepTwice { step: String },
    StepUnknown { step: String, option: String, known: Vec<String>, elsewhere: Option<&'static str> },
    TemplateExpression { message: String },
    VersionSyntax { version: String },
}

/// The words for a problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wording {
    /// The stable code, `family::name`.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong.
    pub message: String,
    /// What is wrong at its place.
    pub label: String,
    /// What to write instead.
    pub help: Option<String>,
}

/// What another place has to do with a problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Label {
    /// The end of a circle.
    BackHere,
    /// The first of two.
    FirstHere,
    /// The option that names a buildout.
    ItsBuildout,
    /// The option that a line belongs to.
    ItsOption,
    /// The section that is a part.
    ItsPart,
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BackHere => "and back again here",
            Self::FirstHere => "first here",
            Self::ItsBuildout => "what is sent to the slave",
            Self::ItsOption => "the option that it is read into",
            Self::ItsPart => "the part",
        })
    }
}

fn did_you_mean(written: &str, known: &[String]) -> Option<String> {
    nearest(written, known.iter().map(String::as_str)).map(|near| format!("did you mean `{near}`?"))
}

fn names(names: &[String]) -> String {
    list(names.iter().map(String::as_str))
}

impl Problem {
    /// All codes, alphabetical.
    pub const CODES: &'static [Code] = code::CODES;

    /// The words for it.
    #[allow(clippy::too_many_lines, reason = "one arm for each problem: this is the catalogue")]
    pub fn wording(&self) -> Wording {
        let word = |code, severity, message: &str, label: &str, help: &str| Wording {
            code,
            severity,
            message: message.to_owned(),
            label: label.to_owned(),
            help: (!help.is_empty()).then(|| help.to_owned()),
        };
        match self {
            Self::AllowError { code } => word(
                "allow::error",
                Warning,
                &format!("`{code}` is an error, and errors cannot be allowed"),
                "silences nothing",
                "remove it, and mend what is wrong",
            ),
            Self::AllowSyntax => word(
                "allow::syntax",
                Warning,
                "this comment speaks to farmout, but not in its words",
                "silences nothing",
                "write `# farmout: allow CODE`, with codes separated by commas",
            ),
            Self::AllowUnknown { code } => word(
                "allow::unknown",
                Warning,
                &format!("there is no code `{code}`"),
                "silences nothing",
                &code::nearest(code).map(|near| format!("did you mean `{near}`?")).unwrap_or_default(),
            ),
            Self::AllowUnused { code } => word(
                "allow::unused",
                Notice,
                &format!("there is no `{code}` here to allow"),
                "silences nothing",
                "it is for the line below the comment: move it there, or remove it",
            ),
            Self::BuildDuplicate { build } => word(
                "build::duplicate",
                Error,
                &format!("the build `{build}` is in two manifests"),
                "again here",
                "names of builds are names of builders: rename one of the sections",
            ),
            Self::BuildoutDevelop { directory } => word(
                "buildout::develop",
                Error,
                &format!("there is no directory `{directory}` to develop"),
                "no such directory",
                "`develop` names directories beside the configuration, which are sent along by `with=`",
            ),
            Self::BuildoutDuplicateOption { option } => word(
                "buildout::duplicate-option",
                Warning,
                &format!("`{option}` is set twice in this section"),
                "this one counts",
                "remove one of them, or write `+=` to add to the first",
            ),
            Self::BuildoutDuplicateSection { section } => word(
                "buildout::duplicate-section",
                Warning,
                &format!("there are two sections `[{section}]`"),
                "merged with the first; options set here win",
                "join them, or rename one",
            ),
            Self::BuildoutExtendsCycle { chain } => word(
                "buildout::extends-cycle",
                Error,
                &format!("configurations extend each other in a circle: {}", chain.join(" → ")),
                "leads back to a file that extends this one",
                "remove one `extends` of the circle",
            ),
            Self::BuildoutExtendsMissing { path, near } => word(
                "buildout::extends-missing",
                Error,
                "the file to extend does not exist",
                "no such file",
                &match near {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("looked for `{path}`: the path is relative to the file that extends it"),
                },
            ),
            Self::BuildoutHeader { written } => word(
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
            Self::BuildoutMacroCycle { chain } => word(
                "buildout::macro-cycle",
                Error,
                &format!("sections take options from each other in a circle: {}", chain.join(" → ")),
                "leads back to this section",
                "remove one `<=` of the circle",
            ),
            Self::BuildoutNoSection => word(
                "buildout::no-section",
                Error,
                "this stands before the first section",
                "belongs to no section",
                "write a section header such as `[buildout]` above it",
            ),
            Self::BuildoutNotCarried { path, directory, with } => word(
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
            Self::BuildoutOption { section, option, known } => word(
                "buildout::option",
                Warning,
                &format!("`[{section}]` has no option `{option}`"),
                "refers to nothing",
                &did_you_mean(option, known).unwrap_or_else(|| format!("set `{option}` in `[{section}]`")),
            ),
            Self::BuildoutPartMissing { part, parts } => word(
                "buildout::part-missing",
                Error,
                &format!("the buildout has no part `{part}`, which is to drive the server"),
                "no section of that name is in this configuration",
                &match did_you_mean(part, parts) {
                    Some(near) => near,
                    None => format!("name the part by `buildout-part`; the parts are {}", names(parts)),
                },
            ),
            Self::BuildoutPartNotInstalled { part } => word(
                "buildout::part-not-installed",
                Error,
                &format!("the part `{part}`, which is to drive the server, is never installed"),
                "not among the buildout's `parts`",
                &format!("add `{part}` to `parts` in `[buildout]`"),
            ),
            Self::BuildoutPartRecipe { part } => word(
                "buildout::part-recipe",
                Error,
                &format!("the part `{part}` has no recipe"),
                "no recipe says how to install this",
                &format!("set `recipe` in `[{part}]`"),
            ),
            Self::BuildoutReference { written } => word(
                "buildout::reference",
                Error,
                &format!("`{written}` is no reference to an option"),
                "not `${section:option}`",
                "write `$${` for the characters themselves, or `${:option}` for an option of the same section",
            ),
            Self::BuildoutReferenceCycle { chain } => word(
                "buildout::reference-cycle",
                Error,
                &format!("this value is made of itself: {}", chain.join(" → ")),
                "leads back to where it began",
                "write one of the values out",
            ),
            Self::BuildoutRevision { destination, known } => word(
                "buildout::revision",
                Warning,
                &format!("no source is put into `{destination}`"),
                "fixes the revision of nothing",
                &did_you_mean(destination, known).unwrap_or_else(|| match known.is_empty() {
                    true => "the main source is meant by a line that is a revision only".to_owned(),
                    false => format!("the sources in `addons` are put into {}", names(known)),
                }),
            ),
            Self::BuildoutSection { section, known } => word(
                "buildout::section",
                Error,
                &format!("there is no section `[{section}]`"),
                "not a section of this configuration",
                &did_you_mean(section, known).unwrap_or_else(|| format!("write a section `[{section}]`")),
            ),
            Self::BuildoutSourceKind { kind, known } => word(
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
            Self::BuildoutSourceWords { usage, extra } => word(
                "buildout::source-words",
                Error,
                &format!("this has too {} words", if *extra { "many" } else { "few" }),
                if *extra { "nothing of this form is expected here" } else { "something is missing" },
                &format!("it is written `{usage}`"),
            ),
            Self::BuildoutSyntax => word(
                "buildout::syntax",
                Error,
                "this is neither a section, nor an option, nor a comment",
                "not understood",
                "write `name = value`; indent the line if it continues the value above it",
            ),
            Self::CapabilityConflict { option } => word(
                "capability::conflict",
                Error,
                &format!("`{option}` is given twice for one version, with different values"),
                "another value here",
                "lines for one version of a capability come together: keep one of the values",
            ),
            Self::CapabilityOption { option, capability, known } => word(
                "capability::option",
                Warning,
                &format!("`{capability}` has no option `{option}`"),
                "nothing reads this",
                &did_you_mean(option, known).unwrap_or_else(|| match known.is_empty() {
                    true => format!("`{capability}` has no options; a farm can declare some in farm.yaml"),
                    false => format!("its options are {}; a farm can declare more in farm.yaml", names(known)),
                }),
            ),
            Self::CapabilitySamePort { slave, port } => word(
                "capability::same-port",
                Warning,
                &format!("`{slave}` has two PostgreSQL clusters on port {port}"),
                "the same place as the first",
                "give each cluster its own `port`, or its own `host`",
            ),
            Self::CapabilityShadowed { option, by } => word(
                "capability::shadowed",
                Warning,
                &format!("`{option}` has no effect beside `{by}`"),
                "not read",
                &format!("`{by}` decides `{option}` by itself: remove it"),
            ),
            Self::CapabilityTwoForms { capability } => word(
                "capability::two-forms",
                Error,
                &format!("this version of `{capability}` is offered in both forms"),
                "offered by plain properties",
                "keep the `capability` line, and remove the properties",
            ),
            Self::CapabilityUnknown { capability, near } => word(
                "capability::unknown",
                Warning,
                &format!("no capability `{capability}` is declared"),
                "offered under this name all the same",
                &format!("did you mean `{near}`?"),
            ),
            Self::CapabilityWord { word: found } => word(
                "capability::word",
                Error,
                &format!("`{found}` is neither a version nor an option"),
                "not expected here",
                &match found.split_once('=') {
                    Some((key, value)) => format!("write `{}={}`, with no space around `=`", key.trim(), value.trim()),
                    None => "a capability is written `NAME [VERSION] [OPTION=VALUE]…`".to_owned(),
                },
            ),
            Self::DispatchBuilderTwice { builder } => word(
                "dispatch::builder-twice",
                Error,
                &format!("two builds make a builder `{builder}`"),
                "made here again",
                "rename one of the builds",
            ),
            Self::DispatchDatabase { builder, database } => word(
                "dispatch::database",
                Notice,
                &format!("the testing database of `{builder}` has too long a name for PostgreSQL"),
                &format!("it is shortened to `{database}`"),
                "PostgreSQL takes 63 bytes: a shorter name of the build, or another `db_prefix` of the slave, keeps it whole",
            ),
            Self::DispatchHighest { slave, capability, taken, offered } => word(
                "dispatch::highest",
                Notice,
                &format!(
                    "slave `{slave}` offers {capability} in several versions that will do: {}",
                    offered.join(", ")
                ),
                &format!("{taken} is taken, the highest"),
                &format!("ask for one version, or put `{capability}` into `build-for` to build with each of them"),
            ),
            Self::DispatchNoBuilder { build, reasons } => word(
                "dispatch::no-builder",
                Warning,
                &format!("no slave can take the build `{build}`: it has no builder"),
                "this build is never run",
                &reasons.join("\n"),
            ),
            Self::DispatchTwice { capability } => word(
                "dispatch::twice",
                Error,
                &format!("`build-for` names `{capability}` twice"),
                "again here",
                "write one line, its filters joined by `OR`",
            ),
            Self::DispatchUnmet { build, wanted, offered, known } => word(
                "dispatch::unmet",
                Warning,
                &format!("no slave of the farm meets `{wanted}`: the build `{build}` has no builder"),
                "offered by no slave",
                &if offered.is_empty() {
                    did_you_mean(wanted.split(' ').next().unwrap_or_default(), known)
                        .unwrap_or_else(|| format!("the slaves offer {}", names(known)))
                } else {
                    format!("the slaves offer {}", offered.join(", "))
                },
            ),
            Self::FarmYaml { message } => word("farm::yaml", Error, "this file cannot be read", message, ""),
            Self::FilterComment => word(
                "filter::comment",
                Error,
                "`#` begins no comment here",
                "this would be part of the filter",
                "begin the comment with ` ;`, which works on the option's first line, or put it on a line of its own",
            ),
            Self::FilterImpossible => word(
                "filter::impossible",
                Error,
                "no version can pass this filter",
                "these contradict each other",
                "criteria side by side must all hold: write `OR` between alternatives",
            ),
            Self::FilterKeyword { keyword } => word(
                "filter::keyword",
                Error,
                &format!("`{keyword}` has no criterion on one side"),
                "a criterion is missing beside this",
                "write for example `postgresql >= 9.1 OR == 8.4`",
            ),
            Self::FilterNoCapability => word(
                "filter::no-capability",
                Error,
                "this line names no capability",
                "a name is missing at its beginning",
                "write for example `postgresql >= 9.1`",
            ),
            Self::FilterNotUsed => word(
                "filter::not-used",
                Error,
                "`not-used` has no meaning in `build-requires`",
                "this asks for nothing",
                "leave the line out, or move it to `build-for`",
            ),
            Self::FilterNotUsedAndMore => word(
                "filter::not-used",
                Error,
                "`not-used` stands alone",
                "`not-used` and something else",
                "write `CAPABILITY not-used`, or a filter on its versions",
            ),
            Self::FilterNoOperator { version } => word(
                "filter::no-operator",
                Error,
                &format!("the version `{version}` is compared with nothing"),
                "an operator is missing before this",
                &format!("write `== {version}`, or another of >= <= == != < >"),
            ),
            Self::FilterNoVersion { operator } => word(
                "filter::no-version",
                Error,
                &format!("`{operator}` compares with nothing"),
                "a version is missing after this",
                &format!("write for example `{operator} 9.1`"),
            ),
            Self::FilterOperator { operator } => word(
                "filter::operator",
                Error,
                &format!("`{operator}` is no comparison"),
                "not an operator",
                &match operator.as_str() {
                    "=" => "write `==`".to_owned(),
                    "=>" => "write `>=`".to_owned(),
                    "=<" => "write `<=`".to_owned(),
                    "<>" => "write `!=`".to_owned(),
                    _ => "the comparisons are >= <= == != < >".to_owned(),
                },
            ),
            Self::FilterWord { word: found } => word(
                "filter::word",
                Error,
                &format!("`{found}` has no meaning in a filter"),
                "not expected here",
                "a filter is made of comparisons, `AND` and `OR`: `>= 9.1 < 10 OR == 8.4`",
            ),
            Self::IniBinary => word(
                "ini::binary",
                Error,
                "this is no text file",
                "a byte of value 0",
                "a manifest is text in UTF-8: is this the right file?",
            ),
            Self::IniDuplicateOption { option } => word(
                "ini::duplicate-option",
                Warning,
                &format!("`{option}` is set twice in this section"),
                "this one counts",
                "remove one of them",
            ),
            Self::IniDuplicateSection { section } => word(
                "ini::duplicate-section",
                Warning,
                &format!("there are two sections `[{section}]`"),
                "merged with the first; options set here win",
                "join them, or rename one",
            ),
            Self::IniHashInValue => word(
                "ini::hash-in-value",
                Warning,
                "`#` begins no comment here",
                "this is part of the value",
                "a comment after a value begins with ` ;`, and only on the option's first line",
            ),
            Self::IniIndented => word(
                "ini::indented",
                Error,
                "this line continues nothing",
                "indented, with no option above it in its section",
                "remove the white space before it",
            ),
            Self::IniIndentedComment { option } => word(
                "ini::indented-comment",
                Warning,
                &format!("this is no comment but part of the value of `{option}`"),
                "an indented line continues the option above",
                "begin the comment in the first column",
            ),
            Self::IniIndentedOption { line, option } => word(
                "ini::indented-option",
                Warning,
                &format!("this line is part of the value of `{option}`"),
                "an indented line continues the option above",
                &format!("if it stands for itself, begin it in the first column: `{line}`"),
            ),
            Self::IniNoSection => word(
                "ini::no-section",
                Error,
                "this stands before the first section",
                "belongs to no section",
                "write a section header such as `[DEFAULT]` above it",
            ),
            Self::IniSectionHeader { written } => word(
                "ini::section-header",
                Error,
                "a section header is written `[name]`",
                "not a whole section header",
                &match written.trim_matches(['[', ']']).trim() {
                    "" => "put a name between the brackets".to_owned(),
                    name => format!("write `[{name}]`"),
                },
            ),
            Self::IniSyntax => word(
                "ini::syntax",
                Error,
                "this is neither a section, nor an option, nor a comment",
                "not understood",
                "write `name = value`; indent the line if it continues the value above it",
            ),
            Self::InheritCycle { chain } => word(
                "inherit::cycle",
                Error,
                &format!("inheritance goes round in a circle: {}", chain.join(" → ")),
                "leads back to this section",
                "remove one `inherit` of the circle",
            ),
            Self::InheritUnknown { parent, known } => word(
                "inherit::unknown",
                Error,
                &format!("there is no section `[{parent}]` to inherit from"),
                "not a section of this manifest",
                &did_you_mean(parent, known).unwrap_or_else(|| format!("its sections are {}", names(known))),
            ),
            Self::InterpolationCycle { chain } => word(
                "interpolation::cycle",
                Error,
                &format!("this value is made of itself: {}", chain.join(" → ")),
                "leads back to where it began",
                "write one of the values out",
            ),
            Self::InterpolationDepth { most } => word(
                "interpolation::depth",
                Error,
                &format!("values are put into values more than {most} deep"),
                "too deep here",
                "write one of the values out",
            ),
            Self::InterpolationLength { most } => word(
                "interpolation::length",
                Error,
                "this value grows out of all bounds",
                &format!("more than {most} bytes here"),
                "values that are put into each other multiply: write them out",
            ),
            Self::InterpolationPercent => word(
                "interpolation::percent",
                Error,
                "in a value that refers to others, `%` begins a reference",
                "not a reference",
                "write `%%` for the character itself, or `%(name)s` to refer to an option",
            ),
            Self::InterpolationUnknown { option, known, inherited } => word(
                "interpolation::unknown",
                Error,
                &format!("no option `{option}` is set here"),
                "refers to nothing",
                &match inherited {
                    Some(parent) => format!(
                        "`{option}` is set in `[{parent}]`, but references reach only their own section and `[DEFAULT]`: set it in one of these"
                    ),
                    None => did_you_mean(option, known)
                        .unwrap_or_else(|| format!("set `{option}` in this section or in `[DEFAULT]`")),
                },
            ),
            Self::OptionChoice { option, choices } => word(
                "option::choice",
                Error,
                &format!("`{option}` cannot have this value"),
                "not one of its values",
                &format!("it may be {}", names(choices)),
            ),
            Self::OptionOfOtherTemplate { option, section, readers } => word(
                "option::unread",
                Warning,
                &format!("nothing in `[{section}]` reads `{option}`"),
                "has no effect",
                &format!("it is an option of {}, which is not among the steps of this build", names(readers)),
            ),
            Self::OptionRequired { option, template } => word(
                "option::required",
                Error,
                &format!("`{template}` needs the option `{option}`"),
                "used here",
                &format!("set `{option}` in this section"),
            ),
            Self::OptionShadowed { option } => word(
                "option::shadowed",
                Warning,
                &format!("every section that reads `{option}` has its own"),
                "has no effect",
                "remove it",
            ),
            Self::OptionTwoSpellings { option } => word(
                "option::two-spellings",
                Warning,
                &format!("this is another spelling of `{option}`, which is set too"),
                "not read",
                "remove it",
            ),
            Self::OptionUnread { option, near } => word(
                "option::unread",
                Warning,
                &format!("nothing reads the option `{option}`"),
                "has no effect",
                &near.as_ref().map(|near| format!("did you mean `{near}`?")).unwrap_or_default(),
            ),
            Self::OptionUnused { option, why } => word(
                "option::unused",
                Notice,
                &format!("`{option}` does nothing any more"),
                "not read",
                &format!("{why}: remove it"),
            ),
            Self::OptionValue { option, expected } => {
                word("option::value", Error, &format!("`{option}` must be {expected}"), &format!("not {expected}"), "")
            }
            Self::SecretIndented { option } => word(
                "secret::indented",
                Error,
                &format!("this password is part of the value of `{option}`"),
                "an indented line continues the option above",
                "begin the line in the first column: plans and graphs show the option above, and the password in it",
            ),
            Self::SecretReadable { file } => word(
                "secret::readable",
                Warning,
                &format!("every user of this machine can read {file}"),
                "this file holds passwords",
                &format!("chmod o-r {file}"),
            ),
            Self::SecretShared { slave, other } => word(
                "secret::shared",
                Warning,
                &format!("`{slave}` and `{other}` have the same password"),
                "also used by another slave",
                "give each slave its own: who knows one can pass for the other",
            ),
            Self::SecretTracked { file } => word(
                "secret::tracked",
                Warning,
                &format!("git keeps {file}, and the passwords in it"),
                "this file holds passwords",
                &format!("`git rm --cached {file}`, name it in .gitignore, and change the passwords"),
            ),
            Self::SecretWeak { slave } => word(
                "secret::weak",
                Warning,
                &format!("the password of `{slave}` is easily guessed"),
                "short, or among the first that are tried",
                "take a long random one: `farmout slave detect` makes one",
            ),
            Self::SlaveDuplicate { slave } => word(
                "slave::duplicate",
                Error,
                &format!("the slave `{slave}` is in two fragments"),
                "again here",
                "rename one of the sections",
            ),
            Self::SlaveNearOption { option, near } => word(
                "slave::near-option",
                Warning,
                &format!("`{option}` is no option of slaves"),
                "read as a property of this name",
                &format!("did you mean `{near}`?"),
            ),
            Self::SlaveNone => word(
                "slave::none",
                Warning,
                "this farm has no slave, so no build has a builder",
                "dispatched to no slave",
                "write a slaves.cfg or slaves.d/*.cfg beside `buildouts`: `farmout slave detect` prints one for this machine",
            ),
            Self::SlaveNoPassword { slave } => word(
                "slave::no-password",
                Error,
                &format!("the slave `{slave}` has no password"),
                "`password` is missing in this section",
                "add `password = …`: without it a master takes no slave",
            ),
            Self::SlaveUnused { slave, reasons } => word(
                "slave::unused",
                Warning,
                &format!("no builder can use the slave `{slave}`"),
                "takes nothing",
                &reasons.join("\n"),
            ),
            Self::SourceDirectory { directory, inside } => word(
                "source::directory",
                Error,
                &format!("{directory} cannot be sent along"),
                if *inside { "no such directory" } else { "not below the configuration's directory" },
                "`with=` names a directory beside the configuration, which has the same place on the slave",
            ),
            Self::SourceEncoding { byte } => word(
                "source::encoding",
                Error,
                &format!("byte {byte} of this file is no UTF-8"),
                "no character",
                "save the file in UTF-8, for example with `iconv -f latin1 -t utf-8`",
            ),
            Self::SourceKind { kind, known } => word(
                "source::kind",
                Error,
                &(if kind.is_empty() {
                    "it is not said where the buildout comes from".to_owned()
                } else {
                    format!("`{kind}` is no kind of source")
                }),
                "not known",
                &did_you_mean(kind, known).unwrap_or_else(|| format!("the kinds are {}", names(known))),
            ),
            Self::SourceMissing { looked, near } => word(
                "source::missing",
                Error,
                "this buildout configuration does not exist",
                "no such file",
                &match near {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("looked for {}", names(looked)),
                },
            ),
            Self::SourceNoTemplate { kind } => word(
                "source::no-template",
                Warning,
                &format!("farmout cannot fetch `{kind}` sources yet"),
                "compiled, but it cannot be planned or run",
                "",
            ),
            Self::SourceOption { option, usage } => word(
                "source::option",
                Error,
                &format!("`{option}` is no option of this kind of source"),
                "not known",
                &format!("it is written `{usage}`"),
            ),
            Self::SourceUnreadable { message } => {
                word("source::unreadable", Error, "this buildout cannot be sent to a slave", message, "")
            }
            Self::SourceWords { usage, extra } => word(
                "source::words",
                Error,
                &format!("this has too {} words", if *extra { "many" } else { "few" }),
                if *extra { "nothing is expected from here on" } else { "something is missing" },
                &format!("it is written `{usage}`"),
            ),
            Self::StepAlias { alias, name } => word(
                "steps::alias",
                Notice,
                &format!("`{alias}` is an old name"),
                "still read",
                &format!("write `{name}`"),
            ),
            Self::StepTwice { step } => word(
                "steps::twice",
                Warning,
                &format!("`{step}` is listed twice"),
                "left out",
                "a step template is run once: remove this line",
            ),
            Self::StepUnknown { step, option, known, elsewhere } => word(
                "steps::unknown",
                Error,
                &format!("`{step}` is no step template for `{option}`"),
                "not known here",
                &match elsewhere {
                    Some(place) => format!("it belongs into `{place}`"),
                    None => match did_you_mean(step, known) {
                        Some(near) => near,
                        None => format!(
                            "there are {}; a farm can add its own, in a folder named in farm.yaml",
                            names(known)
                        ),
                    },
                },
            ),
            Self::TemplateExpression { message } => {
                word("steps::expression", Error, "this step template has a mistake", message, "")
            }
            Self::VersionSyntax { version } => word(
                "version::syntax",
                Error,
                &format!("`{version}` is no version"),
                "not a version",
                "a version is made of numbers and perhaps a suffix: 9.1, 16, 17rc1, 9.2-devel",
            ),
        }
    }
}
