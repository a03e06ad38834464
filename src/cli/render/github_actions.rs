//! `farmout render github-actions`.

use camino::Utf8Path;

use super::ci::{Again, CiArguments, leave_out, relative};
use super::cron;
use crate::cli::Exit;
use crate::diagnostic::Failure;
use crate::render::ci::github::{FILE, MOST, SLAVE, Workflow};

/// The runners that take the jobs, if nobody says another label.
const RUNS_ON: &str = "ubuntu-latest";

/// When watched repositories are looked at, if nobody says another time.
const SCHEDULE: &str = "23 3 * * *";

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    ci: CiArguments,
    /// A label of the runners that take the jobs (may be repeated)
    #[arg(long, value_name = "LABEL", default_value = RUNS_ON)]
    runs_on: Vec<String>,
    /// When builds are run that watch repositories, as cron has it
    #[arg(long, value_name = "CRON", default_value = SCHEDULE, value_parser = cron::read)]
    schedule: String,
    /// How many jobs of a run there are at a time [default: as many as GitHub allows]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    max_parallel: Option<u32>,
    /// Write nothing; exit 1 if the file is not what would be written
    #[arg(long, requires = "output", conflicts_with = "plans")]
    check: bool,
}

pub(super) fn main(arguments: &Arguments) -> Result<Exit, Failure> {
    let ci = &arguments.ci;
    let file = ci.output.as_deref().unwrap_or(Utf8Path::new(FILE));
    relative(file)?;
    let command = arguments.again()?;
    let compilation = ci.compile()?;
    let jobs = ci.jobs(&compilation, SLAVE)?;
    ci.tell(&jobs)?;
    if jobs.jobs.len() > MOST {
        return Err(Failure::error(format!("these are {} builders, and GitHub runs {MOST} at most", jobs.jobs.len()))
            .help("make several workflows, each of some builders: `farmout render github-actions 'shop-*' -o …`"));
    }
    let workflow = Workflow {
        command: &command,
        file: file.as_str(),
        program: ci.program(),
        password: ci.password.as_deref(),
        runs_on: &arguments.runs_on,
        schedule: &arguments.schedule,
        max_parallel: arguments.max_parallel,
    };
    let text =
        workflow.render(&jobs).map_err(|error| Failure::error(format!("the workflow cannot be written: {error}")))?;
    if arguments.check {
        return check(file, &text, &workflow);
    }
    let told = jobs.left_out.len();
    let jobs = jobs.complete();
    if ci.plans.is_some() {
        // Who begins a run may leave properties out, and with them the builds that need them.
        leave_out(&jobs.left_out[told..]);
    }
    ci.write(&text, jobs)?;
    Ok(Exit::Fine)
}

/// Compares the file with what the farm says today.
fn check(file: &Utf8Path, text: &str, workflow: &Workflow<'_>) -> Result<Exit, Failure> {
    let found = std::fs::read_to_string(file)
        .map_err(|error| Failure::misuse(format!("cannot read {file}: {error}")).help(workflow.again()))?;
    if found == *text {
        return Ok(Exit::Fine);
    }
    Err(Failure::error(format!("{file} is not what the farm's workflow would be today"))
        .help(format!("render it again, and commit it: {}", workflow.again())))
}

impl Arguments {
    /// The command that renders the workflow, but for where to.
    fn again(&self) -> Result<String, Failure> {
        let mut again = Again::new("github-actions");
        if self.runs_on != [RUNS_ON] {
            self.runs_on.iter().for_each(|label| again.option("--runs-on", label));
        }
        if self.schedule != SCHEDULE {
            again.option("--schedule", &self.schedule);
        }
        if let Some(most) = self.max_parallel {
            again.option("--max-parallel", &most.to_string());
        }
        self.ci.again(&mut again)?;
        Ok(again.command())
    }
}

#[cfg(test)]
mod tests {
    use clap::{Args as _, Command, FromArgMatches as _};

    use super::*;

    /// Options that say what this call writes, and where to. The workflow calls farmout with its own.
    const OF_ONE_CALL: [&str; 3] = ["output", "plans", "check"];

    /// A value of each option that the workflow's jobs depend on, and none that is the default.
    const GIVEN: [&str; 14] = [
        "--runs-on=self-hosted",
        "--runs-on=-odd",
        "--schedule=5 4 * * 1",
        "--max-parallel=3",
        "--farm=farm",
        "--manifest=farm/M.cfg",
        "--slaves=ci.cfg",
        "--property=-tag=it's 1.2",
        "--image=python=registry.example/odoo:{python.version}",
        "--postgresql=registry.example/pg:{postgresql.version}",
        "--password=PG_PASSWORD",
        "--farmout=https://dist.example/farmout",
        "--sha256=0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a",
        "shop-*",
    ];

    fn read(words: &[String]) -> Arguments {
        let matches = Arguments::augment_args(Command::new("farmout")).try_get_matches_from(words).unwrap();
        Arguments::from_arg_matches(&matches).unwrap()
    }

    /// An option that is forgotten makes the check of every workflow with it fail.
    #[test]
    fn the_command_of_a_workflow_has_every_option_that_was_given() {
        let command = Arguments::augment_args(Command::new("farmout"));
        for argument in command.get_arguments() {
            let name = argument.get_long().unwrap_or_default();
            let given = GIVEN
                .iter()
                .any(|word| word.strip_prefix("--").is_some_and(|word| word.starts_with(&format!("{name}="))));
            let known = given || OF_ONE_CALL.contains(&name) || argument.get_id() == "builders";
            assert!(known, "{argument}: make `again` write it, and give it a value here; or it is of one call");
        }
        let words = std::iter::once("farmout").chain(GIVEN).map(str::to_owned).collect::<Vec<_>>();
        let again = read(&words).again().unwrap();
        let written = shell_words::split(&again).unwrap();
        for word in GIVEN {
            let (option, value) = word.split_once('=').unwrap_or(("", word));
            let apart = written.windows(2).any(|pair| pair == [option, value]);
            assert!(apart || written.iter().any(|written| written == word), "{word}: {again}");
        }
        // And it means the same.
        assert_eq!(written[..3], ["farmout", "render", "github-actions"]);
        assert_eq!(read(&written[2..]).again().unwrap(), again);
        assert_eq!(read(&words[..1]).again().unwrap(), "farmout render github-actions");
    }
}
