//! What the template of scripts is filled in with: builders, their steps as functions, and what they ask for. Every text is a
//! word of the shell already.

use indexmap::IndexMap;
use serde::Serialize;

use super::ScriptError;
use super::function::{Body, carried};
use super::word::{Names, WordError, quote, shown};
use crate::plan::placeholder::names;
use crate::plan::{OnFailure, Plan, PlanFile, Step};

/// Everything.
#[derive(Debug, Serialize)]
pub(super) struct View {
    title: String,
    names: String,
    /// The builders, as the help of a message.
    known: String,
    longest: String,
    basedir: String,
    pub(super) needs_farmout: bool,
    builders: Vec<Builder>,
    properties: Vec<Property>,
    properties_known: String,
    secrets: Vec<Secret>,
}

#[derive(Debug, Serialize)]
struct Builder {
    number: usize,
    name: String,
    directory: String,
    slots: String,
    sockets: bool,
    /// The functions that its steps are.
    functions: String,
    properties: Vec<String>,
    missing: Vec<Property>,
    steps: Vec<StepView>,
}

#[derive(Debug, Serialize)]
struct StepView {
    number: usize,
    name: String,
    listed: String,
    settings: Vec<String>,
}

#[derive(Debug, Clone, Serialize)]
struct Property {
    number: usize,
    name: String,
    quoted: String,
}

#[derive(Debug, Serialize)]
struct Secret {
    number: usize,
    name: String,
    /// The environment variable that it comes in.
    variable: String,
    /// The builders that need it.
    builders: Vec<usize>,
}

impl View {
    pub(super) fn new(plans: &[Plan], own: &[String]) -> Result<Self, ScriptError> {
        let mut making = Making::default();
        let mut builders = Vec::new();
        for (index, plan) in plans.iter().enumerate() {
            builders.push(making.builder(index + 1, plan)?);
        }
        let files = making.file_functions();
        if let Some(first) = builders.first_mut() {
            first.functions = files + &first.functions;
        }
        let slave = plans.first().map_or("", |plan| plan.slave.as_str());
        let plain = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' };
        let properties: Vec<Property> = making.settable(plans, own);
        let names: Vec<String> = plans.iter().map(|plan| shown(&plan.builder)).collect();
        let known = if names.len() > 12 {
            "the option --list prints them".to_owned()
        } else {
            format!("there are {}", names.join(", "))
        };
        let asked: Vec<&str> = properties.iter().map(|property| property.name.as_str()).collect();
        Ok(Self {
            title: format!("Builds on {}", shown(slave)),
            names: textwrap::fill(&names.join(", "), textwrap::Options::new(100).subsequent_indent("  ")),
            known: quote(&known),
            longest: quote(plans.iter().map(|plan| &*plan.directory).max_by_key(|name| name.len()).unwrap_or("")),
            basedir: quote(&format!("farmout-{}", slave.chars().map(plain).collect::<String>())),
            needs_farmout: plans.iter().any(|plan| mentions(plan, "farmout")),
            secrets: making.secrets(plans),
            properties_known: quote(&format!("they ask for {}", asked.join(", "))),
            properties,
            builders,
        })
    }
}

/// Whether the plan has a placeholder of this name.
fn mentions(plan: &Plan, wanted: &str) -> bool {
    plan.texts().any(|text| names(text).is_ok_and(|names| names.iter().any(|name| name == wanted)))
}

/// A script being made.
#[derive(Debug, Default)]
struct Making {
    names: Names,
    /// Sets of files, each of which is a function.
    files: Vec<Vec<PlanFile>>,
}

impl Making {
    fn builder(&mut self, number: usize, plan: &Plan) -> Result<Builder, ScriptError> {
        let failed = |what: &str| {
            let (builder, what) = (plan.builder.clone(), what.to_owned());
            move |error: WordError| ScriptError::Text { builder, what, why: error.to_string() }
        };
        let nul = |text: &str, what: &str| match text.contains('\0') {
            true => Err(failed(what)(WordError::Nul)),
            false => Ok(()),
        };
        nul(&plan.builder, "its name")?;
        let why = |property: &str| {
            let reports = |step: &&Step| step.property.as_deref() == Some(property);
            match plan.steps.iter().find(reports) {
                Some(step) => format!("step `{}` should have reported it", step.name),
                None => "no step reports it".to_owned(),
            }
        };
        let mut functions = self.environment(number, plan, &why).map_err(failed("its environment"))?;
        let mut steps = Vec::new();
        let templates: Vec<&str> = plan.steps.iter().map(|step| step.template.as_str()).collect();
        for (index, step) in plan.steps.iter().enumerate() {
            let failed = failed(&format!("step `{}`", step.name));
            let at = Place { plan, number, step: index + 1, why: &why };
            let (function, settings) = self.step(&at, step, &templates).map_err(failed)?;
            functions.push_str(&function);
            let listed = format!("    {:<24}  {}", step.name, shown(&step.help));
            steps.push(StepView {
                number: index + 1,
                name: quote(&step.name),
                listed: quote(listed.trim_end()),
                settings,
            });
        }
        let missing = plan.missing_properties().into_iter().map(|name| self.property(&name)).collect();
        let mut properties = Vec::new();
        for (index, name) in self.names.properties.iter().enumerate() {
            let (variable, given) = (format!("fo_property_{}", index + 1), format!("fo_given_{}", index + 1));
            properties.push(match plan.properties.get(name) {
                Some(value) => {
                    nul(value, &format!("the property `{name}`"))?;
                    format!("{variable}={}", quote(value))
                }
                None => format!("unset {variable}"),
            });
            properties.push(format!("if [ -n \"${{{given}+set}}\" ]; then {variable}=${given}; fi"));
        }
        Ok(Builder {
            number,
            name: quote(&plan.builder),
            directory: quote(&plan.directory),
            slots: plan.max_builds.map_or_else(|| "''".to_owned(), |slots| slots.max(1).to_string()),
            sockets: mentions(plan, "socket-dir"),
            functions,
            properties,
            missing,
            steps,
        })
    }

    fn property(&mut self, name: &str) -> Property {
        let number = self.names.properties.insert_full(name.to_owned()).0 + 1;
        Property { number, name: name.to_owned(), quoted: quote(name) }
    }

    /// The function that gives every step of a builder its environment.
    fn environment(&mut self, number: usize, plan: &Plan, why: &dyn Fn(&str) -> String) -> Result<String, WordError> {
        let mut body = Body::default();
        let mut path = vec!["fo_before_path".to_owned()];
        for directory in &plan.path {
            path.push(body.word(self.names.word(directory, why)?));
        }
        if path.len() > 1 {
            body.command(&path);
        }
        for (name, value) in &plan.environment {
            let word = self.names.word(value, why)?;
            body.set(name, word);
        }
        Ok(body.function(&format!("fo_{number}_environment"), ""))
    }

    /// The function of a step, and what the step is besides.
    fn step(&mut self, at: &Place<'_>, step: &Step, templates: &[&str]) -> Result<(String, Vec<String>), WordError> {
        let mut body = Body::default();
        let directory = self.names.word(&step.directory, at.why)?;
        let directory = body.word(directory);
        if step.write {
            body.command(&["fo_files_begin".to_owned(), directory]);
            body.command(&[self.files(&at.plan.files)]);
            body.command(&["fo_files_end".to_owned()]);
        } else {
            let mut command = vec!["fo_exec".to_owned()];
            for argument in &step.run {
                let word = self.names.word(argument, at.why)?;
                command.push(body.word(word));
            }
            body.command(&["fo_enter".to_owned(), directory]);
            body.command(&[format!("fo_{}_environment", at.number)]);
            for (name, value) in &step.environment {
                let word = self.names.word(value, at.why)?;
                body.set(name, word);
            }
            command.splice(1..1, body.through_env.clone());
            body.command(&command);
        }
        let comment = format!("# {}\n", shown(&step.help));
        let function = body.function(&format!("fo_{}_{}", at.number, at.step), &comment);
        let settings = self.settings(at, step, templates)?;
        Ok((function, settings))
    }

    /// The commands that say what the step is, before the script itself performs it.
    fn settings(&mut self, at: &Place<'_>, step: &Step, templates: &[&str]) -> Result<Vec<String>, WordError> {
        let mut lines: Vec<String> = Vec::new();
        let mut settings: Vec<String> = Vec::new();
        let mut set = |name: &str, value: &str| settings.push(format!("fo_{name}={value}"));
        match step.on_failure {
            OnFailure::Halt => {}
            OnFailure::Flunk => set("on", "flunk"),
            OnFailure::Warn => set("on", "warn"),
            OnFailure::Ignore => set("on", "ignore"),
        }
        if step.write {
            set("write", "1");
        }
        // Templates are told apart by where they come first.
        let template = templates.iter().position(|name| *name == step.template).unwrap_or(0) + 1;
        let same = |other: &&Step| other.template == step.template && other.always_run != step.always_run;
        let paired = at.plan.steps.iter().any(|other| same(&other));
        if step.always_run {
            set("always", "1");
        }
        if paired {
            set(if step.always_run { "cause" } else { "provides" }, &template.to_string());
        }
        if let Some(lock) = &step.lock {
            set("lock", &quote(lock));
        }
        if let Some(seconds) = step.idle_timeout {
            set("idle", &seconds.to_string());
        }
        if let Some(seconds) = step.timeout {
            set("total", &seconds.to_string());
        }
        if let Some(property) = &step.property {
            set("property", &self.names.property(property));
            set("property_name", &quote(property));
        }
        if let Some(name) = &step.keep {
            set("keep", &quote(name));
        }
        if step.keep.is_some() || !step.follow.is_empty() {
            set("in", &self.names.word(&step.directory, at.why)?.after(&mut lines));
        }
        let texts =
            step.run.iter().chain(step.environment.values()).chain(at.plan.environment.values()).chain(&at.plan.path);
        let secret =
            |text: &String| names(text).is_ok_and(|names| names.iter().any(|name| name.starts_with("secret.")));
        if !step.write && texts.into_iter().any(secret) {
            set("veil", "1");
        }
        if !settings.is_empty() {
            lines.push(settings.join(" "));
        }
        if !step.follow.is_empty() {
            let mut sizes = vec!["fo_sizes".to_owned()];
            for path in &step.follow {
                sizes.push(self.names.word(path, at.why)?.after(&mut lines));
            }
            lines.push(format!("fo_followed() {{ {}; }}", sizes.join(" ")));
        }
        Ok(lines)
    }

    /// The name of the function that puts these files in their places.
    fn files(&mut self, files: &[PlanFile]) -> String {
        let known = self.files.iter().position(|known| known == files);
        let index = known.unwrap_or_else(|| {
            self.files.push(files.to_vec());
            self.files.len() - 1
        });
        format!("fo_files_{}", index + 1)
    }

    fn file_functions(&self) -> String {
        let mut text = String::new();
        for (index, files) in self.files.iter().enumerate() {
            text.push_str(&format!("fo_files_{}() {{\n    :\n", index + 1));
            files.iter().for_each(|file| text.push_str(&carried(file)));
            text.push_str("}\n\n");
        }
        text
    }

    /// The properties that whoever starts the script may give.
    fn settable(&mut self, plans: &[Plan], own: &[String]) -> Vec<Property> {
        let reported =
            |name: &String| plans.iter().flat_map(|plan| &plan.steps).any(|step| step.property.as_ref() == Some(name));
        let names: Vec<String> =
            self.names.properties.iter().filter(|name| !own.contains(name) && !reported(name)).cloned().collect();
        names.iter().map(|name| self.property(name)).collect()
    }

    fn secrets(&self, plans: &[Plan]) -> Vec<Secret> {
        let mut variables: IndexMap<String, usize> = IndexMap::new();
        let secret = |(index, name): (usize, &String)| {
            let upper = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
            let variable = format!("FARMOUT_SECRET_{}", name.chars().map(upper).collect::<String>());
            let before = variables.entry(variable.clone()).or_default();
            *before += 1;
            // Of two names that differ in nothing but case or punctuation the second is numbered.
            let variable = if *before == 1 { variable } else { format!("{variable}__{before}") };
            let needs = plans.iter().enumerate().filter(|(_, plan)| plan.secrets.contains(name));
            let builders = needs.map(|(index, _)| index + 1).collect();
            Secret { number: index + 1, name: name.clone(), variable, builders }
        };
        self.names.secrets.iter().enumerate().map(secret).collect()
    }
}

/// Where a step is.
struct Place<'a> {
    plan: &'a Plan,
    /// The builder's number.
    number: usize,
    step: usize,
    why: &'a dyn Fn(&str) -> String,
}
