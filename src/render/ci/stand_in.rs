//! The slave that stands for a job: it offers what one builder is for and what its build requires, and nothing else. A builder of
//! the graph comes in; the slave that its procedure is bound to goes out.

use indexmap::IndexMap;

use super::Wanted;
use crate::dispatch::{Builder, Chosen, Graph, required};
use crate::model::{Offer, OfferOption, OfferValue, Priority, Secret, SecretSource, Slave, Version};
use crate::source::Span;

/// The capability that a job has as a service beside it. Everything else is in the job's own image.
pub const SERVICE: &str = "postgresql";

/// What the service is called in the job's network.
pub const HOST: &str = "postgres";

/// Who may do everything in it. Servers refuse to run as PostgreSQL's usual superuser.
pub const USER: &str = "farmout";

/// Makes the slave for a builder.
pub(super) fn slave(graph: &Graph, builder: &Builder, wanted: &Wanted<'_>) -> Slave {
    let build = graph.build(builder);
    let chosen = builder.chosen.iter().map(|(name, version)| (name.clone(), version.clone()));
    let capabilities = chosen
        .chain(highest(graph, builder))
        .map(|(name, version)| {
            let options = if name == SERVICE { service(wanted, build.span) } else { IndexMap::new() };
            let offer = Offer { version, span: build.span, options };
            (name, vec![offer])
        })
        .collect();
    let best = builder.slaves.iter().next().map(|slave| &graph.farm.slaves[slave]);
    Slave {
        name: wanted.slave.to_owned(),
        span: build.span,
        password: SecretSource::Given(Secret::new("")),
        password_span: build.span,
        capabilities,
        unclear: false,
        max_builds: None,
        notify_on_missing: Vec::new(),
        priority: Priority::default(),
        only_if_requires: Vec::new(),
        // The testing database is called as on the slave that would be asked first.
        db_prefix: best.map_or_else(String::new, |slave| slave.db_prefix.clone()),
        properties: IndexMap::new(),
    }
}

/// What the build requires without being dispatched over it: the highest version that any of the builder's slaves would take.
fn highest(graph: &Graph, builder: &Builder) -> Chosen {
    let build = graph.build(builder);
    let mut highest = Chosen::new();
    if build.requires.iter().all(|requirement| builder.chosen.contains_key(&requirement.capability)) {
        return highest;
    }
    for slave in builder.slaves.iter() {
        for (name, version) in required(&build.requires, &builder.chosen, &graph.farm.slaves[slave]) {
            let known: &mut Option<Version> = highest.entry(name).or_default();
            if *known < version {
                *known = version;
            }
        }
    }
    highest
}

fn service(wanted: &Wanted<'_>, span: Span) -> IndexMap<String, OfferOption> {
    let option = |value| OfferOption { value, span };
    let plain = |value: &str| option(OfferValue::Plain(value.to_owned()));
    let mut options = IndexMap::from([("host".to_owned(), plain(HOST)), ("user".to_owned(), plain(USER))]);
    let password = |name: &str| option(OfferValue::Secret(SecretSource::Variable(name.to_owned())));
    options.extend(wanted.password.map(|name| ("passwd".to_owned(), password(name))));
    options
}
