//! `farmout slave setup`: a machine made into a slave. In: the arguments. Out: what is done, and the exit code. The doing is
//! [`crate::host::setup`]'s.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use camino::{Utf8Path, Utf8PathBuf};
use nix::unistd::geteuid;
use signal_hook::consts::{SIGINT, SIGTERM};

use super::super::Exit;
use super::note;
use crate::diagnostic::Failure;
use crate::host::account;
use crate::host::needs::{Distribution, Need, Places, Weight, install_command, packages};
use crate::host::setup::{
    self, DIRECTORY, Event, Lock, METAPACKAGE, Manner, Master, Record, Setup, Summary, UNIT, make, remove,
};
use crate::model::Secret;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Show what would be done, command by command, and do nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// The user that builds run as, which is added if it is missing
    #[arg(long, value_name = "NAME", default_value = account::DEFAULT)]
    user: String,
    /// Where the slave's directories are: home and, with --buildbot-master, worker and buildbot
    #[arg(long, value_name = "DIR", default_value = DIRECTORY)]
    base: Utf8PathBuf,
    /// Which needs of builds are installed: `required` is what about every buildout wants, `usual` adds what stock OpenERP and
    /// Odoo want, `optional` what only some builds want
    #[arg(long, value_name = "WEIGHT", default_value = "usual")]
    needs: Needs,
    /// Leave out a need by its name, such as "PostgreSQL server" (separated by commas, or the option repeated)
    #[arg(long, value_name = "NEED", value_delimiter = ',')]
    without: Vec<String>,
    /// Also make a worker of this Buildbot master, with buildbot-worker from PyPI
    #[arg(long, value_name = "HOST:PORT", value_parser = address)]
    buildbot_master: Option<String>,
    /// What the master calls the worker [default: the machine's name]
    #[arg(long, value_name = "NAME", requires = "buildbot_master", value_parser = worker)]
    worker_name: Option<String>,
    /// The file with the worker's password, `-` for standard input
    #[arg(long, value_name = "FILE", requires = "buildbot_master")]
    worker_password: Option<Utf8PathBuf>,
    /// Also write a unit of systemd that keeps the worker running
    #[arg(long, requires = "buildbot_master")]
    unit: bool,
    /// Undo what setup made here
    #[arg(long, conflicts_with_all = ["user", "base", "needs", "without", "buildbot_master", "metapackage"])]
    remove: bool,
    /// With --remove: also what builds left, in directories and testing databases
    #[arg(long, requires = "remove")]
    purge: bool,
    /// Only write the source of a Debian package that depends on what builds need here, for `dpkg-deb --build DIR/farmout-slave`
    #[arg(long, value_name = "DIR", conflicts_with_all = ["dry_run", "user", "base", "needs", "buildbot_master"])]
    metapackage: Option<Utf8PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Needs {
    Required,
    Usual,
    Optional,
}

/// A master's address.
fn address(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    match text.rsplit_once(':') {
        Some((host, port))
            if !host.is_empty() && host.chars().all(plain) && port.parse::<u16>().is_ok_and(|p| p > 0) =>
        {
            Ok(text.to_owned())
        }
        _ => Err("write it as HOST:PORT, such as buildbot.example:9989".to_owned()),
    }
}

/// A worker's name, which is an argument and stands in a Python file.
fn worker(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if text.is_empty() || text.starts_with('-') || !text.chars().all(plain) {
        return Err("use letters, digits, `.`, `-` and `_`".to_owned());
    }
    Ok(text.to_owned())
}

pub(super) fn main(arguments: &Arguments) -> Result<Exit, Failure> {
    let distribution = Distribution::of_this_machine(Utf8Path::new("/"));
    let needs = arguments.needs()?;
    if distribution.family() != Some("debian") {
        return Err(foreign(&distribution, &needs));
    }
    if let Some(directory) = &arguments.metapackage {
        return write_metapackage(directory, &needs, &distribution);
    }
    let setup = arguments.setup(&needs, &distribution)?;
    let root = geteuid().is_root();
    if !root && !arguments.dry_run {
        let words: Vec<String> = std::env::args().collect();
        return Err(Failure::misuse("only root can set up a slave")
            .help(format!("see what it would do with --dry-run, and do it with `sudo {}`", shell_words::join(words))));
    }
    let _lock = if arguments.dry_run { None } else { Some(Lock::take()?) };
    let mut record = Record::read()?;
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop))
            .map_err(|error| Failure::error(format!("signals cannot be listened to: {error}")))?;
    }
    let manner = Manner { dry: arguments.dry_run, root, purge: arguments.purge, stop: &stop };
    if arguments.remove {
        if record.is_empty() {
            say!("there is nothing to undo: {} does not exist", record.path());
            return Ok(Exit::Fine);
        }
        let summary = remove(&mut record, manner, &mut tell)?;
        return Ok(removed(summary, manner, &record));
    }
    say!("{}", distribution.name);
    let summary = make(&setup, &mut record, manner, &mut tell)?;
    made(summary, manner, &record, &setup);
    Ok(Exit::Fine)
}

impl Arguments {
    /// The needs that are wanted, whether they are there or not.
    fn needs(&self) -> Result<Vec<Need>, Failure> {
        let all = Need::all();
        if let Some(unknown) = self.without.iter().find(|name| all.iter().all(|need| need.name != **name)) {
            let names: Vec<&str> = all.iter().map(|need| need.name.as_str()).collect();
            return Err(Failure::misuse(format!("there is no need `{unknown}`"))
                .help(format!("--without takes one of: {}", names.join(", "))));
        }
        let heaviest = match self.needs {
            Needs::Required => Weight::Required,
            Needs::Usual => Weight::Usual,
            Needs::Optional => Weight::Optional,
        };
        let wanted =
            |need: &Need| (self.metapackage.is_some() || need.weight <= heaviest) && !self.without.contains(&need.name);
        Ok(all.into_iter().filter(wanted).collect())
    }

    fn setup(&self, needs: &[Need], distribution: &Distribution) -> Result<Setup, Failure> {
        let missing = Places::of_this_machine(None).missing(needs);
        let worker = match &self.buildbot_master {
            Some(address) => Some(self.master(address)?),
            None => None,
        };
        let setup = Setup {
            account: self.user.clone(),
            base: self.base.clone(),
            packages: packages(missing, distribution),
            worker,
            unit: self.unit,
        };
        setup.check()?;
        Ok(setup)
    }

    fn master(&self, address: &str) -> Result<Master, Failure> {
        let name = match &self.worker_name {
            Some(name) => name.clone(),
            None => {
                let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
                let named = |error| Failure::misuse(format!("the machine's name is no worker's: {error}"));
                worker(name.trim()).map_err(|error| named(error).help("name the worker with --worker-name"))?
            }
        };
        let password = match &self.worker_password {
            Some(file) => Some(password(file)?),
            None if self.dry_run || setup::has_worker(&self.base) => None,
            None => {
                return Err(Failure::misuse("a new worker needs the password that the master knows it by")
                    .help("put it into a file that only you can read, and name that with --worker-password FILE"));
            }
        };
        Ok(Master { address: address.to_owned(), worker: name, password })
    }
}

/// A password from a file: its only line.
fn password(file: &Utf8Path) -> Result<Secret, Failure> {
    let mut text = String::new();
    let read = if file == "-" {
        io::stdin().lock().read_to_string(&mut text).map(drop)
    } else {
        fs::read_to_string(file).map(|read| text = read)
    };
    read.map_err(|error| Failure::misuse(format!("cannot read the password in {file}: {error}")))?;
    let line = text.trim_end_matches(['\r', '\n']);
    if line.is_empty() || line.contains(char::is_control) || line.trim() != line {
        return Err(Failure::misuse(format!("{file} has no password: one line without white space at its ends"))
            .help("the first line of that file is to be the password, and the only one"));
    }
    Ok(Secret::new(line.to_owned()))
}

/// What can be done about another distribution.
fn foreign(distribution: &Distribution, needs: &[Need]) -> Failure {
    let name = if distribution.name.is_empty() { "of an unknown kind" } else { &distribution.name };
    let names = packages(needs, distribution);
    let help = match install_command(distribution, &names) {
        Some(command) => format!("install what builds need yourself:\n{}", shell_words::join(command)),
        None => {
            let names: Vec<&str> = needs.iter().map(|need| need.name.as_str()).collect();
            format!("install what builds need yourself: {}", names.join(", "))
        }
    };
    Failure::misuse(format!("this sets up Debian and Ubuntu, and this machine is {name}"))
        .help(format!("{help}\ndocs/slave.md says what else a slave is made of"))
}

fn write_metapackage(directory: &Utf8Path, needs: &[Need], distribution: &Distribution) -> Result<Exit, Failure> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.contains(['\n', '<', '>']));
    let maintainer = format!(
        "{} <{}>",
        variable("DEBFULLNAME").unwrap_or_else(|| "farmout".to_owned()),
        variable("DEBEMAIL").unwrap_or_else(|| "root@localhost".to_owned())
    );
    for file in setup::metapackage(needs, distribution, &maintainer)? {
        let path = directory.join(&file.path);
        let failed = |error: io::Error| Failure::misuse(format!("cannot write {path}: {error}"));
        let parent = path.parent().unwrap_or(directory);
        fs::create_dir_all(parent).map_err(failed)?;
        let mut aside = tempfile::NamedTempFile::new_in(parent).map_err(failed)?;
        aside.write_all(file.content.as_bytes()).map_err(failed)?;
        aside.as_file().set_permissions(fs::Permissions::from_mode(file.mode)).map_err(failed)?;
        aside.persist(&path).map_err(|error| failed(error.error))?;
        say!("{path}");
    }
    note(&format!(
        "build it with `dpkg-deb --root-owner-group --build {directory}/{METAPACKAGE} .`, or with dpkg-buildpackage in \
         {directory}"
    ));
    Ok(Exit::Fine)
}

fn tell(event: Event<'_>) {
    let bold = anstyle::Style::new().bold();
    let yellow = anstyle::AnsiColor::Yellow.on_default();
    let dim = anstyle::Style::new().dimmed();
    match event {
        Event::Thing(thing) => say!("\n{bold}{}{bold:#}: {}", thing.title(), thing.purpose()),
        Event::There(None) => say!("  {dim}there already{dim:#}"),
        Event::There(Some(remark)) => say!("  {dim}there already{dim:#}; {yellow}but{yellow:#} {remark}"),
        Event::Call(call) => say!("  # {}", call.to_string().replace('\n', "\n  ")),
        Event::Left(why) => say!("  {yellow}not now{yellow:#}: {why}"),
        Event::Gone => say!("  {dim}gone already{dim:#}"),
        Event::Kept(why) => say!("  {yellow}stays{yellow:#}: {why}"),
        Event::Hint(hint) => say!("  {hint}"),
    }
}

fn made(summary: Summary, manner: Manner<'_>, record: &Record, setup: &Setup) {
    let Summary { done, there, left } = summary;
    let mut counts =
        vec![format!("{done} {}", if manner.dry { "to make" } else { "made" }), format!("{there} there already")];
    if left > 0 {
        counts.push(format!("{left} not now"));
    }
    let counts = counts.join(", ");
    if manner.dry {
        say!("\n{counts}; this was a dry run, and nothing was changed");
        return;
    }
    say!("\n{counts}; what setup made is in {}", record.path());
    if setup.unit {
        let start = format!("systemctl enable --now {UNIT}");
        note(&if setup::systemd_runs() {
            format!("`{start}` starts the worker, now and with the machine")
        } else {
            format!("systemd does not run here; where it does, `{start}` starts the worker")
        });
    }
    let program = std::env::current_exe().ok().and_then(|path| Utf8PathBuf::from_path_buf(path).ok());
    let account = account::choose(Some(&setup.account)).ok().flatten();
    if let (Some(program), Some(account)) = (program, account)
        && !account.can_execute(&program)
    {
        note(&format!(
            "{} cannot start {program}: install it where everybody can, such as /usr/local/bin",
            account.name
        ));
    }
}

fn removed(summary: Summary, manner: Manner<'_>, record: &Record) -> Exit {
    let Summary { done, there, left } = summary;
    let mut counts = vec![format!("{done} {}", if manner.dry { "to undo" } else { "undone" })];
    if there > 0 {
        counts.push(format!("{there} gone already"));
    }
    if left > 0 {
        let stays = if left == 1 { "stays" } else { "stay" };
        counts.push(format!("{left} {stays}"));
    }
    let counts = counts.join(", ");
    if manner.dry {
        say!("\n{counts}; this was a dry run, and nothing was changed");
        return Exit::Fine;
    }
    if left > 0 {
        say!("\n{counts}; what is left of setup is in {}", record.path());
        return Exit::Errors;
    }
    say!("\n{counts}; nothing is left of setup");
    Exit::Fine
}
