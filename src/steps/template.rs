//! The format of a step template's file, and a template as builds take it: with the steps of those that it uses.

use std::num::NonZeroU64;
use std::sync::Arc;

use indexmap::IndexMap;
use schemars::JsonSchema;

use crate::model::DeclaredOptions;
use crate::plan::{OnFailure, Phase};
use crate::source::{Span, Text};

/// The file of a step template: the options that it reads, and the steps that it makes.
///
/// Strings of its steps are filled in twice: `{{ expression }}` when the farm is compiled, `${name}` when the plan is
/// bound to a slave or run (see [`crate::plan::placeholder`]).
#[derive(Debug, Clone, JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TemplateFile {
    /// Its name.
    #[schemars(rename = "template")]
    pub name: String,
    /// How lists of steps call it, where that is another template's name already, in another list.
    #[schemars(default)]
    pub written: Option<String>,
    /// What it does, one line.
    pub help: String,
    /// Where it may stand.
    pub place: Use,
    /// Names that it had once: they are read, with a notice.
    #[schemars(default)]
    pub aliases: Vec<String>,
    /// Templates without which it makes no sense: the build must list them before it.
    #[schemars(default)]
    pub needs: Vec<String>,
    /// The options that it reads.
    #[schemars(default)]
    pub options: DeclaredOptions,
    /// Its steps, and the templates whose steps it takes.
    #[schemars(default)]
    pub steps: Vec<Item>,
    /// Steps that are run at the end whatever happened, in the reverse order of the templates.
    #[schemars(default)]
    pub clean_up: Vec<StepTemplate>,
    /// Where the templates after it find the buildout, if it makes another one.
    #[schemars(default)]
    pub continues: Option<Continues>,
}

/// A buildout that a template makes, to be built instead of the one that was fetched.
#[derive(Debug, Clone, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Continues {
    /// Its directory in the build directory.
    pub subdir: String,
    /// Its configuration.
    pub configuration: String,
}

/// An item of a template's steps.
#[derive(Debug, Clone, JsonSchema)]
#[schemars(untagged, deny_unknown_fields)]
pub enum Item {
    /// All that another template does, at this point.
    Use {
        /// The other template.
        r#use: String,
    },
    /// A step.
    Step(Box<StepTemplate>),
}

/// A step template with the options and steps of those that it uses.
#[derive(Debug, Clone)]
pub struct Template {
    /// Its name.
    pub name: String,
    /// How lists of steps call it, where that is not its name.
    pub written: Option<String>,
    /// What it does, one line.
    pub help: String,
    /// Where it may stand.
    pub place: Use,
    /// Names that it had once: they are read, with a notice.
    pub aliases: Vec<String>,
    /// The templates that it uses itself, in order.
    pub uses: Vec<String>,
    /// Templates that must be listed before it, those that the templates it uses need included.
    pub needs: Vec<String>,
    /// The options that it reads, and those of the templates that it uses; of two declarations of one, its own.
    pub options: DeclaredOptions,
    /// Its steps.
    pub steps: Vec<LinkedStep>,
    /// What is run at the end: its own clean-up, then that of the templates that it uses, the last one first.
    pub clean_up: Vec<LinkedStep>,
    /// Where the templates after it find the buildout, if it makes another one.
    pub continues: Option<Continues>,
    /// Whether its steps depend on the build's name or source, but for these being in them.
    pub surroundings: bool,
    /// Whether its steps ask for the builder's name, and so are not those of the build's other builders.
    pub builder: bool,
}

impl Template {
    /// Whether one of its steps has the program that an option names.
    pub fn runs(&self, option: &str) -> bool {
        self.steps.iter().any(|linked| linked.step.program.as_deref() == Some(option))
    }

    /// Whether none of its steps is of the farm's own.
    pub fn is_builtin(&self) -> bool {
        self.steps.iter().chain(&self.clean_up).all(|linked| linked.place.is_none())
    }

    /// How lists of steps call it.
    pub fn written(&self) -> &str {
        self.written.as_deref().unwrap_or(&self.name)
    }
}

/// A step of a template, and the template in whose file it is written.
#[derive(Debug, Clone)]
pub struct LinkedStep {
    /// The template.
    pub template: String,
    /// The step.
    pub step: StepTemplate,
    /// Where it is written; none where it is built in.
    pub place: Option<Arc<StepPlace>>,
}

/// Where a step of a farm's own is written.
#[derive(Debug)]
pub struct StepPlace {
    /// Its name.
    pub name: Span,
    /// Its texts and expressions.
    pub texts: Vec<Text>,
}

impl StepPlace {
    /// Where a text of it stands; the step's name if it is none of these.
    pub fn of(&self, text: &str) -> Span {
        self.texts.iter().find(|known| ***known == *text).map_or(self.name, Text::whole)
    }

    /// Where it asks for a placeholder.
    pub fn of_placeholder(&self, name: &str) -> Span {
        let asked = self.texts.iter().find_map(|text| {
            // What is to be filled in is no placeholder's beginning or end.
            let places = text.match_indices(name).map(|(at, name)| at..at + name.len());
            let mut places = places.filter(|place| text[..place.start].ends_with("${"));
            places.find(|place| text[place.end..].starts_with(['}', ':'])).map(|place| text.span(place))
        });
        asked.unwrap_or(self.name)
    }
}

/// Where a template may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema)]
#[schemars(rename_all = "kebab-case")]
pub enum Use {
    /// It is brought by a capability.
    Capability,
    /// It is one of `db-steps`.
    #[schemars(rename = "db-steps")]
    Db,
    /// It is part of every build.
    Every,
    /// In no list: other templates use it.
    Part,
    /// It is one of `post-buildout-steps`.
    #[schemars(rename = "post-buildout-steps")]
    PostBuildout,
    /// It is one of `post-dl-steps`.
    #[schemars(rename = "post-dl-steps")]
    PostDl,
    /// It fetches a kind of source.
    Source,
}

impl Use {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::PostBuildout, Self::PostDl, Self::Db, Self::Part, Self::Every, Self::Source, Self::Capability];

    /// The option that lists such templates.
    pub fn option(self) -> Option<&'static str> {
        match self {
            Self::Db | Self::PostBuildout | Self::PostDl => Some(self.name()),
            Self::Capability | Self::Every | Self::Part | Self::Source => None,
        }
    }

    /// Whether a template of this place may use one of `other`.
    pub fn may_use(self, other: Self) -> bool {
        other == self || other == Self::Part
    }

    /// Its name in a template's file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Capability => "capability",
            Self::Db => "db-steps",
            Self::Every => "every",
            Self::Part => "part",
            Self::PostBuildout => "post-buildout-steps",
            Self::PostDl => "post-dl-steps",
            Self::Source => "source",
        }
    }

    /// The phase of the steps.
    pub fn phase(self, template: &str) -> Phase {
        match self {
            Self::Capability => Phase::Prepare,
            Self::Db => Phase::Db,
            Self::Every if template == "bootstrap" => Phase::Bootstrap,
            // A part has no phase of its own: its steps are always those of a template that uses it.
            Self::Every | Self::Part => Phase::Buildout,
            Self::PostBuildout => Phase::PostBuildout,
            Self::PostDl => Phase::PostDl,
            Self::Source => Phase::Fetch,
        }
    }
}

/// A step of a template. See [`crate::plan::Step`] for what the fields do.
#[derive(Debug, Clone, JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub struct StepTemplate {
    /// The step's name: at most 50 characters of `a` to `z`, digits and `-`.
    #[schemars(regex(pattern = "^[a-z0-9-]{1,50}$"))]
    pub name: String,
    /// What it is for, one line.
    pub help: String,
    /// An expression; the step is there only if it is true.
    #[schemars(default)]
    pub when: Option<String>,
    /// An expression that makes a list; the step is there once for each of its items, which is `item` in expressions.
    #[schemars(default)]
    pub each: Option<String>,
    /// The command.
    #[schemars(default)]
    pub run: Vec<Argument>,
    /// The option that names the command's program: a message that there is no such program tells of it.
    #[schemars(default)]
    pub program: Option<String>,
    /// Write the files of the build.
    #[schemars(default)]
    pub write: bool,
    /// The working directory.
    #[schemars(default)]
    pub directory: Option<String>,
    /// Environment on top of the plan's.
    #[schemars(default)]
    pub environment: IndexMap<String, String>,
    /// The lock that it holds.
    #[schemars(default)]
    pub lock: Option<String>,
    /// Whether it takes out of the way what an earlier run has left: it goes before the later steps of its template, also
    /// where a run begins with one of them.
    #[schemars(default)]
    pub makes_way: bool,
    /// Whether another attempt is worth while when it fails: it depends on other machines.
    #[schemars(default)]
    pub infrastructure: bool,
    /// The exit statuses after which no other attempt is worth while all the same.
    #[schemars(default)]
    pub permanent: Vec<u8>,
    /// Seconds without output.
    #[schemars(default)]
    pub idle_timeout: Option<Limit>,
    /// Seconds in all.
    #[schemars(default)]
    pub timeout: Option<Limit>,
    /// What its failure does.
    #[schemars(default)]
    pub on_failure: Option<OnFailure>,
    /// The property that its last line becomes.
    #[schemars(default)]
    pub property: Option<String>,
    /// The file that is kept with the run's logs.
    #[schemars(default)]
    pub keep: Option<String>,
    /// Files that the command appends to.
    #[schemars(default)]
    pub follow: Vec<String>,
}

/// A time limit.
#[derive(Debug, Clone, JsonSchema)]
#[schemars(untagged)]
pub enum Limit {
    /// Seconds.
    Seconds(NonZeroU64),
    /// An expression that makes seconds.
    #[schemars(extend("pattern" = "^[^0-9-]"))]
    Expression(String),
}

/// A part of a command.
#[derive(Debug, Clone, JsonSchema)]
#[schemars(untagged, deny_unknown_fields)]
pub enum Argument {
    /// One argument.
    One(String),
    /// Arguments that are there only if an expression is true.
    When {
        /// The expression.
        when: String,
        /// The arguments.
        arguments: Vec<String>,
    },
    /// The items of a list, an argument each.
    Each {
        /// An expression that makes the list.
        each: String,
        /// An argument before each of them.
        #[schemars(default)]
        with: Option<String>,
    },
    /// The whole command of a template that is part of every build.
    CommandOf {
        /// The template.
        #[schemars(rename = "command-of")]
        command_of: Every,
    },
}

/// The templates that are part of every build. Each has a step of its own name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema)]
#[schemars(rename_all = "kebab-case")]
pub enum Every {
    /// What makes `bin/buildout`.
    Bootstrap,
    /// What runs it.
    Buildout,
}

impl Every {
    /// Both of them, by name.
    pub(super) const ALL: [(&'static str, Self); 2] = [("bootstrap", Self::Bootstrap), ("buildout", Self::Buildout)];

    /// The template's name.
    pub fn template(self) -> &'static str {
        match self {
            Self::Bootstrap => "bootstrap",
            Self::Buildout => "buildout",
        }
    }
}
