//! Who is in a demonstration: which workers run here, and which builders begin. In: the compiled farm, and names. Out: the farm as a
//! master reads it, and passwords for this time only.

use camino::Utf8Path;
use indexmap::IndexMap;

use super::super::farm::{Pick, read, right};
use super::super::machine::{Embedded, THIS_MACHINE, look, offers};
use crate::Compilation;
use crate::diagnostic::{Failure, suggest};
use crate::host::secret::{self, Found, Missing};
use crate::host::{Account, Machine, detect};
use crate::model::{Secret, SecretSource};
use crate::render::buildbot::{Document, known_secrets, make};
use crate::resolve::Layout;

/// How many workers run here where none is named.
const WORKERS: usize = 2;

/// Who is in it.
pub(super) struct Cast {
    pub(super) document: Document,
    /// The workers that run here, by their names on the master, with what they show to it.
    pub(super) workers: Vec<(String, Secret)>,
    /// The builders to begin with.
    pub(super) first: Vec<String>,
    /// The variables in which secrets came.
    pub(super) variables: Vec<String>,
    secrets: IndexMap<String, SecretSource>,
}

impl Cast {
    /// Chooses workers and builders, by names and patterns or, where there are none, the first ones.
    ///
    /// # Errors
    /// A name that is none; builders that no worker here takes.
    pub(super) fn new(compilation: &Compilation, workers: &[String], pick: &Pick) -> Result<Self, Failure> {
        let document = make(compilation)?;
        pick.check(&compilation.graph.builders)?;
        let workers = choose(&document, workers)?;
        let first = first(&document, &workers, pick)?;
        let mut secrets = known_secrets(compilation);
        let variables = secrets.values().filter_map(|source| match source {
            SecretSource::Variable(name) => Some(name.clone()),
            _ => None,
        });
        let variables = variables.collect();
        let mut own = Vec::new();
        for name in workers {
            // Their owners' passwords are for their owners' masters.
            let password = detect::password()?;
            secrets.insert(document.workers[&name].password.clone(), SecretSource::Given(password.clone()));
            own.push((name, password));
        }
        Ok(Self { document, workers: own, first, variables, secrets })
    }
}

/// The workers that run here.
fn choose(document: &Document, named: &[String]) -> Result<Vec<String>, Failure> {
    let all = &document.workers;
    if named.is_empty() {
        return Ok(all.keys().take(WORKERS).cloned().collect());
    }
    let slaves = || all.iter().map(|(name, worker)| worker.slave.as_deref().unwrap_or(name));
    let mut chosen = Vec::new();
    for name in named {
        let found = all.iter().find(|(own, worker)| *own == name || worker.slave.as_ref() == Some(name));
        let (own, _) = found.ok_or_else(|| {
            let help = match suggest::nearest(name, slaves()) {
                Some(near) => format!("did you mean `{near}`? There are {}", suggest::list(slaves())),
                None => format!("there are {}", suggest::list(slaves())),
            };
            Failure::misuse(format!("no slave `{name}` of this farm takes a builder")).help(help)
        })?;
        if !chosen.contains(own) {
            chosen.push(own.clone());
        }
    }
    Ok(chosen)
}

/// The builders to begin with: those picked, or those of the first build that needs nobody to say more.
fn first(document: &Document, workers: &[String], pick: &Pick) -> Result<Vec<String>, Failure> {
    let asks = |build: &str| {
        let build = document.builds.iter().find(|known| known.name == build);
        build.and_then(|build| build.properties.iter().find(|property| property.required))
    };
    let takes = |offers: usize| workers.iter().any(|worker| document.offers[offers].contains_key(worker));
    let mut taken = document.builders.iter().filter(|builder| takes(builder.offers)).peekable();
    let workers: Vec<&str> = workers.iter().map(String::as_str).collect();
    if !pick.is_all() {
        let picked: Vec<_> = taken.filter(|builder| pick.matches(&builder.name)).collect();
        if picked.is_empty() {
            return Err(Failure::misuse(format!("{} takes none of these builders", listed("the worker", &workers)))
                .help("name the slave that does with --worker"));
        }
        if let Some((builder, asked)) = picked.iter().find_map(|builder| Some((builder, asks(&builder.build)?))) {
            return Err(Failure::misuse(format!("{} asks for the property `{}`", builder.name, asked.name))
                .help("leave it out, and force it in the browser, which asks for properties"));
        }
        return Ok(picked.into_iter().map(|builder| builder.name.clone()).collect());
    }
    if taken.peek().is_none() {
        return Err(Failure::misuse(format!("{} takes no builder", listed("the worker", &workers)))
            .help("name another slave with --worker"));
    }
    let mut able = taken.filter(|builder| asks(&builder.build).is_none()).peekable();
    let build = able.peek().map(|builder| builder.build.clone());
    Ok(able.filter(|builder| Some(&builder.build) == build.as_ref()).map(|builder| builder.name.clone()).collect())
}

impl Cast {
    /// A secret, if anything is known of it.
    pub(super) fn secret(&self, name: &str) -> Option<Result<Found, Missing>> {
        self.secrets.get(name).map(secret::read)
    }
}

/// The farm with this machine as it is found in the place of slaves: as many as there are workers, which share its PostgreSQLs.
///
/// # Errors
/// What is to be downloaded cannot be had; the farm does not compile.
pub(super) fn on_this_machine(
    layout: &Layout,
    embedded: &[String],
    state: &Utf8Path,
    account: Option<&Account>,
) -> Result<(Compilation, Machine), Failure> {
    let embedded = Embedded { majors: embedded, fallback: true, state };
    let machine = look(&embedded, account, &mut |text| say!("{text}"))?;
    let mut fragments = String::new();
    for number in 0..WORKERS {
        let mut part = machine.clone();
        if machine.postgresql.len() >= WORKERS {
            let mut index = 0..;
            part.postgresql.retain(|_| index.next().is_some_and(|index| index % WORKERS == number));
        }
        fragments += &part.fragment(&format!("local-{}", number + 1), &detect::password()?);
    }
    let layout = Layout { fragment: Some((THIS_MACHINE.to_owned(), fragments)), ..layout.clone() };
    Ok((right(read(&layout)?)?, machine))
}

/// What the slaves offer, in a clause.
pub(super) fn offering(compilation: &Compilation) -> String {
    let slaves = compilation.graph.farm.slaves.iter();
    let each = slaves.map(|slave| format!("`{}`, with {}", slave.name, offers(compilation, &slave.name)));
    format!("the slaves {}", each.collect::<Vec<_>>().join("; and "))
}

/// Names behind what they are called: `the workers a and b`.
pub(super) fn listed(what: &str, names: &[&str]) -> String {
    match names {
        [] => format!("no {what}"),
        [only] => format!("{what} {only}"),
        [first @ .., last] => format!("{what}s {} and {last}", first.join(", ")),
    }
}
