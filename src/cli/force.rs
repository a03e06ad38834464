//! `farmout force`: a wish in, a delivery in the spool out.

use super::Exit;
use super::farm::{FarmArguments, read, right};
use super::machine::state;
use crate::diagnostic::{Failure, suggest};
use crate::model::Wish;
use crate::watch::{Delivery, Page, Spool, spool};
use camino::Utf8PathBuf;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    farm: FarmArguments,
    /// Where `farmout watch` keeps what waits [default: .farmout in the farm's directory]
    #[arg(long, value_name = "DIR")]
    state: Option<Utf8PathBuf>,
    /// Why, for the run's report
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Who wants it [default: the user]
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// The builds
    #[arg(value_name = "BUILD", required = true)]
    builds: Vec<String>,
}

pub(super) fn main(arguments: &Arguments) -> Result<Exit, Failure> {
    let layout = arguments.farm.layout();
    let compilation = right(read(&layout)?)?;
    let builds = || compilation.graph.farm.builds.iter().filter(|build| build.buildout.is_some());
    let names = || builds().map(|build| build.name.as_str());
    for wanted in &arguments.builds {
        if !names().any(|name| name == wanted) {
            let failure = Failure::misuse(format!("no build is called `{wanted}`"));
            let builder = compilation.graph.builders.iter().find(|builder| builder.name == *wanted);
            return Err(match (builder, suggest::nearest(wanted, names())) {
                (Some(builder), _) => {
                    let build = &compilation.graph.build(builder).name;
                    failure.help(format!("that is a builder of `{build}`, and builds are forced whole; `farmout run {wanted}` runs it here"))
                }
                (None, Some(near)) => failure.help(format!("did you mean `{near}`?")),
                (None, None) => failure.help(format!("there are {}", suggest::list(names()))),
            });
        }
    }
    let state = state(arguments.state.as_ref(), Some(&layout.root));
    let place = spool(&state);
    let failed = |error: std::io::Error| Failure::error(format!("cannot hand it over in {place}: {error}"));
    let spool = Spool::open(&place).map_err(failed)?;
    let by = arguments.by.clone().or_else(user);
    for build in &arguments.builds {
        let wish = Wish { by: by.clone(), reason: arguments.reason.clone(), time: jiff::Timestamp::now() };
        spool.put(Delivery::Force { build: build.clone(), wish }).map_err(failed)?;
    }
    if Page::read(&state)?.holder.is_none() {
        note!("no `farmout watch` is at work in {state}: the next one takes it");
    }
    Ok(Exit::Fine)
}

/// The caller's name; of one who became root, the one from before.
fn user() -> Option<String> {
    let before = std::env::var("SUDO_USER").ok().filter(|name| !name.is_empty());
    before.or_else(|| nix::unistd::User::from_uid(nix::unistd::Uid::current()).ok().flatten().map(|user| user.name))
}
