//! `farmout render`: the farm for other engines. A file a target.

pub(super) mod buildbot;
mod ci;
mod cron;
mod github_actions;
mod gitlab_ci;
mod output;
mod sh;
mod template;

use clap::Subcommand;

use super::Exit;
use crate::diagnostic::Failure;
use crate::diagnostic::suggest::list;

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Arguments {
    #[command(flatten)]
    template: template::TemplateArguments,
    #[command(subcommand)]
    target: Option<Target>,
}

#[derive(Debug, Subcommand)]
enum Target {
    /// Write what a Buildbot master needs to run the farm
    Buildbot(buildbot::Arguments),
    /// Write a workflow of GitHub Actions, with a job for each builder
    ///
    /// Each job runs its builder's plan in a container, with PostgreSQL beside it. The workflow makes the plans in its first job,
    /// which fails where the file is not what the farm would be today.
    ///
    /// Exits 1 if a builder that was named cannot be a job, or none can be; others are left out, and the file says why.
    GithubActions(Box<github_actions::Arguments>),
    /// Write a child pipeline of GitLab CI, with a job for each builder
    ///
    /// Each job runs its builder's plan in a container, with PostgreSQL beside it. The plans are an artifact of the parent
    /// pipeline's job that calls this command with --plans.
    ///
    /// Exits 1 if a builder that was named cannot be a job, or none can be; others are left out, and the file says why.
    GitlabCi(Box<gitlab_ci::Arguments>),
    /// Write a POSIX shell script that builds on a host where nothing else is installed
    Sh(sh::Arguments),
}

pub(super) fn main(arguments: &Arguments) -> Result<Exit, Failure> {
    let Some(target) = &arguments.target else {
        return match arguments.template.template() {
            Some(path) => template::main(path, &arguments.template),
            None => Err(nothing()),
        };
    };
    match target {
        Target::Buildbot(arguments) => buildbot::main(arguments),
        Target::GithubActions(arguments) => github_actions::main(arguments),
        Target::GitlabCi(arguments) => gitlab_ci::main(arguments),
        Target::Sh(arguments) => sh::main(arguments),
    }
}

/// What is said to whoever names neither a target nor a template.
fn nothing() -> Failure {
    let command = Target::augment_subcommands(clap::Command::new("render"));
    let targets = list(command.get_subcommands().map(clap::Command::get_name));
    Failure::misuse("neither a target nor a template is given")
        .help(format!("the targets are {targets}; a template of your own is named with --template FILE"))
}
