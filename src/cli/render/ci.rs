//! What the targets for services that run jobs have in common: their arguments, and where the files go.

use std::str::FromStr as _;

use camino::{Utf8Component, Utf8Path, Utf8PathBuf};

use super::super::farm::{FarmArguments, Pick, read, right};
use super::super::plan::{Format, write as write_plans};
use super::super::property::PropertyArguments;
use super::output::Output;
use crate::Compilation;
use crate::diagnostic::Failure;
use crate::dispatch::Builder;
use crate::model::without_credentials;
use crate::plan::Plan;
use crate::render::ci::{ImageRule, Jobs, LeftOut, Program, Wanted};

#[derive(Debug, clap::Args)]
pub(super) struct CiArguments {
    #[command(flatten)]
    farm: FarmArguments,
    /// The builders, by name or by pattern such as 'demo-*' [default: all]
    #[arg(value_name = "BUILDER")]
    builders: Vec<String>,
    #[command(flatten)]
    properties: PropertyArguments,
    /// Write the file there, instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<Utf8PathBuf>,
    /// Write the plans of the jobs into this directory, which they get as `plans`; without -o, nothing else is written
    #[arg(long, value_name = "DIR")]
    pub(super) plans: Option<Utf8PathBuf>,
    /// The image of jobs whose builds want just these capabilities beside PostgreSQL, such as
    /// 'python,wkhtmltopdf=registry.example/odoo:{python.version}'; without any, of all jobs; of several the first that fits
    /// [default: the official image of the build's Python]
    #[arg(long = "image", value_name = "[CAPABILITY,…=]IMAGE", value_parser = ImageRule::from_str)]
    images: Vec<ImageRule>,
    /// The image of PostgreSQL [default: postgres:{postgresql.version}]
    #[arg(long, value_name = "IMAGE", value_parser = image)]
    postgresql: Option<String>,
    /// The variable that has a password for the jobs' PostgreSQL [default: it lets its job in without one]
    #[arg(long, value_name = "NAME", value_parser = variable)]
    pub(super) password: Option<String>,
    /// Where jobs download farmout from, if their images have none [default: the variable FARMOUT_URL says so]
    #[arg(long = "farmout", value_name = "URL")]
    url: Option<String>,
    /// The SHA-256 of that farmout [default: the variable FARMOUT_SHA256 says so]
    #[arg(long, value_name = "HEX", value_parser = sha256)]
    sha256: Option<String>,
}

fn image(text: &str) -> Result<String, String> {
    if text.contains('=') {
        return Err("an image, without a capability".to_owned());
    }
    ImageRule::from_str(text).map(|_| text.to_owned())
}

fn variable(text: &str) -> Result<String, String> {
    let fine = text.starts_with(|c: char| c.is_ascii_uppercase() || c == '_')
        && text.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
    if fine { Ok(text.to_owned()) } else { Err("the name of a variable: capitals, digits and `_`".to_owned()) }
}

fn sha256(text: &str) -> Result<String, String> {
    let fine = text.len() == 64 && text.chars().all(|c| c.is_ascii_hexdigit());
    if fine { Ok(text.to_ascii_lowercase()) } else { Err("it has 64 hexadecimal digits".to_owned()) }
}

impl CiArguments {
    /// The farm, compiled.
    pub(super) fn compile(&self) -> Result<Compilation, Failure> {
        // The message does not show it either.
        if self.url.as_ref().is_some_and(|url| without_credentials(url) != *url) {
            return Err(Failure::misuse("--farmout has a password in it, which the file would show")
                .help("leave it out, and set the masked variable FARMOUT_URL instead"));
        }
        let compilation = right(read(&self.farm.layout())?)?;
        if !compilation.has_fragments {
            return Err(Failure::error("this farm has no slave fragments, and builders are made from what slaves offer").help(
                "write down in a fragment which versions are to be built with, such as `capability = postgresql 17`, and name \
                 it with --slaves FILE if it is not among the farm's",
            ));
        }
        Ok(compilation)
    }

    /// The jobs of the builders that were asked for.
    pub(super) fn jobs(&self, compilation: &Compilation, slave: &str) -> Result<Jobs, Failure> {
        let pick = self.pick()?;
        pick.check(&compilation.graph.builders)?;
        let picked: Vec<&Builder> =
            compilation.graph.builders.iter().filter(|builder| pick.matches(&builder.name)).collect();
        let properties = self.properties.given(compilation)?;
        let wanted = Wanted {
            slave,
            images: &self.images,
            postgresql: self.postgresql.as_deref(),
            password: self.password.as_deref(),
            properties: &properties,
        };
        Ok(Jobs::new(compilation, &picked, &wanted))
    }

    fn pick(&self) -> Result<Pick, Failure> {
        Pick::new(&self.builders)
    }

    /// Says what is left out. A builder that was asked for must not be, and not all may be.
    pub(super) fn tell(&self, jobs: &Jobs) -> Result<(), Failure> {
        let asked = !self.pick()?.is_all();
        match jobs.left_out.first() {
            Some(first) if asked || jobs.jobs.is_empty() => {
                jobs.left_out.iter().skip(1).for_each(|left| note!("{}: {}", left.builder, left.reason));
                Err(Failure::error(format!("builder {} cannot be a job: {}", first.builder, first.reason)))
            }
            None if jobs.jobs.is_empty() => {
                Err(Failure::error("this farm has no builders").help("`farmout compile` says why builds have none"))
            }
            _ => {
                leave_out(&jobs.left_out);
                Ok(())
            }
        }
    }

    /// Where jobs get farmout from.
    pub(super) fn program(&self) -> Program<'_> {
        Program { url: self.url.as_deref(), sha256: self.sha256.as_deref() }
    }

    /// Writes what is wanted: the plans, the file.
    pub(super) fn write(&self, text: &str, jobs: Jobs) -> Result<(), Failure> {
        if let Some(directory) = &self.plans {
            let plans: Vec<Plan> = jobs.jobs.into_iter().map(|job| job.plan).collect();
            write_plans(&plans, directory, Format::Yaml)?;
        }
        if self.output.is_none() && self.plans.is_some() {
            return Ok(());
        }
        Output { path: self.output.as_deref(), mode: 0o644 }.write(&mut |out| out.write_all(text.as_bytes()))
    }

    /// Adds the arguments that make the same file again, but for where it goes.
    ///
    /// # Errors
    /// A path that means nothing in another checkout.
    pub(super) fn again(&self, again: &mut Again) -> Result<(), Failure> {
        for (option, path) in self.farm.paths() {
            relative(path)?;
            again.option(option, path.as_str());
        }
        self.properties.pairs().for_each(|(name, value)| again.option("--property", &format!("{name}={value}")));
        self.images.iter().for_each(|rule| again.option("--image", &rule.to_string()));
        let single = [
            ("--postgresql", &self.postgresql),
            ("--password", &self.password),
            ("--farmout", &self.url),
            ("--sha256", &self.sha256),
        ];
        for (option, value) in single {
            value.iter().for_each(|value| again.option(option, value));
        }
        again.0.extend(self.builders.iter().cloned());
        Ok(())
    }
}

/// The command that makes a file again: its words.
pub(super) struct Again(Vec<String>);

impl Again {
    /// The command for a target, without options.
    pub(super) fn new(target: &str) -> Self {
        Self(["farmout", "render", target].map(str::to_owned).to_vec())
    }

    /// Adds an option.
    pub(super) fn option(&mut self, option: &str, value: &str) {
        if value.starts_with('-') {
            // On its own it would be taken for another option.
            self.0.push(format!("{option}={value}"));
        } else {
            self.0.extend([option.to_owned(), value.to_owned()]);
        }
    }

    /// The command, as a shell takes it.
    pub(super) fn command(&self) -> String {
        shell_words::join(&self.0)
    }
}

/// Says of builders why they have no jobs.
pub(super) fn leave_out(builders: &[LeftOut]) {
    builders.iter().for_each(|left| note!("{} is left out: {}", left.builder, left.reason));
}

/// Demands a path that a checkout elsewhere has, too.
pub(super) fn relative(path: &Utf8Path) -> Result<(), Failure> {
    let depth = path.components().try_fold(0_usize, |depth, part| match part {
        Utf8Component::Normal(_) => Some(depth + 1),
        Utf8Component::CurDir => Some(depth),
        Utf8Component::ParentDir => depth.checked_sub(1),
        Utf8Component::RootDir | Utf8Component::Prefix(_) => None,
    });
    if depth.is_none() {
        let why = if path.is_absolute() {
            format!("{path} is a path of this machine, and jobs have the repository elsewhere")
        } else {
            format!("{path} leads out of the repository, and jobs have nothing else")
        };
        return Err(Failure::misuse(why).help("call farmout in the repository's root, with paths that begin there"));
    }
    Ok(())
}
