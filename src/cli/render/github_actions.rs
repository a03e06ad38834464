//! `farmout render github-actions`.

use camino::Utf8Path;

use super::ci::{CiArguments, leave_out, relative};
use super::cron;
use crate::cli::Exit;
use crate::diagnostic::Failure;
use crate::render::ci::github::{FILE, MOST, SLAVE, Workflow};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    ci: CiArguments,
    /// A label of the runners that take the jobs (may be repeated)
    #[arg(long, value_name = "LABEL", default_value = "ubuntu-latest")]
    runs_on: Vec<String>,
    /// When builds are run that watch repositories, as cron has it
    #[arg(long, value_name = "CRON", default_value = "23 3 * * *", value_parser = cron::read)]
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
        let mut words = ["farmout", "render", "github-actions"].map(str::to_owned).to_vec();
        let mut add = |option: &str, value: &str| words.extend([option.to_owned(), value.to_owned()]);
        if self.runs_on != ["ubuntu-latest"] {
            self.runs_on.iter().for_each(|label| add("--runs-on", label));
        }
        if self.schedule != "23 3 * * *" {
            add("--schedule", &self.schedule);
        }
        if let Some(most) = self.max_parallel {
            add("--max-parallel", &most.to_string());
        }
        words.extend(self.ci.again()?);
        Ok(shell_words::join(words))
    }
}
