//! `slave::`, and `capability::` where it takes the whole slave to see it.

use std::collections::HashMap;

use fixedbitset::FixedBitSet;

use crate::diagnostic::{Diagnostics, Label, problem};
use crate::dispatch::{Graph, why_not};
use crate::model::{Declarations, Offer, OfferValue, Slave, Variant};

/// A report gives no more reasons than this: nobody reads a thousand, and a thousand times a thousand fill the memory.
const MOST_REASONS: usize = 40;

/// Checks each slave, and what it is good for.
pub(super) fn check(graph: &Graph, diagnostics: &mut Diagnostics) {
    for slave in &graph.farm.slaves {
        same_port(slave, diagnostics);
        shadowed(slave, &graph.farm.declarations, diagnostics);
    }
    unused(graph, diagnostics);
}

/// A slave that takes no builder waits for ever. Said only where there are builders at all, and not too many of them: else
/// the builds are told of; and where all builds are known: else it may be for the others.
fn unused(graph: &Graph, diagnostics: &mut Diagnostics) {
    if graph.builders.is_empty() || graph.farm.more_builds || !graph.excess.is_empty() {
        return;
    }
    let mut used = FixedBitSet::new();
    graph.builders.iter().for_each(|builder| used.union_with(builder.slaves.ranks()));
    for (index, slave) in graph.farm.slaves.iter().enumerate() {
        if !slave.unclear && !used.contains(graph.offers.rank(index)) {
            let builds = || graph.farm.builds.iter().filter(|build| build.buildout.is_some());
            let reasons = builds().filter_map(|build| Some(format!("{}: {}", build.name, why_not(build, slave)?)));
            let mut reasons: Vec<String> = reasons.take(MOST_REASONS).collect();
            let all = builds().count();
            if reasons.len() == MOST_REASONS && all > MOST_REASONS {
                reasons.push(format!("… of {all} builds"));
            }
            let problem = problem::Slave::Unused { slave: slave.name.clone(), reasons };
            diagnostics.push(problem, slave.span);
        }
    }
}

/// Two clusters cannot listen at one place.
fn same_port(slave: &Slave, diagnostics: &mut Diagnostics) {
    let mut known: HashMap<(String, String), &Offer> = HashMap::new();
    for offer in slave.capabilities.get("postgresql").into_iter().flatten() {
        let plain = |option: &str| match offer.options.get(option).map(|given| &given.value) {
            Some(OfferValue::Plain(value)) => Some(value.clone()),
            _ => None,
        };
        if plain("cluster").is_some() {
            continue;
        }
        let place = (plain("host").unwrap_or_default(), plain("port").unwrap_or_else(|| "5432".to_owned()));
        let port = place.1.clone();
        if let Some(first) = known.insert(place, offer) {
            let problem = problem::Capability::SamePort { slave: slave.name.clone(), port };
            diagnostics.push(problem, offer.span).label(first.span, Label::FirstHere);
        }
    }
}

/// Options that a variant such as `cluster=ephemeral` decides by itself.
fn shadowed(slave: &Slave, declarations: &Declarations, diagnostics: &mut Diagnostics) {
    for (name, offers) in &slave.capabilities {
        let variants = declarations.get(name).map_or(&[][..], |declaration| &declaration.variants);
        for offer in offers {
            let applies = |variant: &&Variant| {
                offer
                    .options
                    .get(&variant.option)
                    .is_some_and(|given| given.value == OfferValue::Plain(variant.is.clone()))
            };
            let Some(variant) = variants.iter().find(applies) else { continue };
            for (option, given) in offer.options.iter().filter(|(option, _)| variant.options.contains_key(*option)) {
                let by = format!("{}={}", variant.option, variant.is);
                diagnostics.push(problem::Capability::Shadowed { option: option.clone(), by }, given.span);
            }
        }
    }
}
