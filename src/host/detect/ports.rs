//! Ports for the servers that tests of builds start. In: the ranges that step templates choose from. Out: which of their
//! ports are taken. Each is tried as a server would, and given up at once.

use serde::Serialize;

use crate::tool::port::{Range, is_free};

/// What step templates choose from if a farm says nothing else; a test compares them with the templates.
const RANGES: [Range; 2] = [Range { min: 6069, max: 7068, step: 5 }, Range { min: 9069, max: 11069, step: 5 }];

/// A range of ports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Ports {
    /// The first one.
    pub min: u16,
    /// The last one that may be taken.
    pub max: u16,
    /// From one to the next.
    pub step: u16,
    /// How many of them a server could listen at.
    pub free: usize,
    /// Those that are taken.
    pub taken: Vec<u16>,
}

pub(super) fn find() -> Vec<Ports> {
    RANGES
        .into_iter()
        .map(|Range { min, max, step }| {
            let (free, taken): (Vec<_>, Vec<_>) = (min..=max).step_by(step.into()).partition(|port| is_free(*port));
            Ports { min, max, step, free: free.len(), taken }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::steps::Templates;

    use super::*;

    #[test]
    fn the_ranges_are_those_of_the_templates() {
        let templates = Templates::builtin();
        let options = templates.iter().flat_map(|template| &template.options);
        let options: Vec<_> = options.collect();
        let default = |name: &str| {
            let (_, declared) = options.iter().find(|(option, _)| option.as_str() == name).unwrap();
            declared.default.as_ref().unwrap().parse::<u16>().unwrap()
        };
        let [min, max, step] = ["min", "max", "step"].map(|end| default(&format!("odoo.http-port-{end}")));
        assert_eq!(RANGES[0], Range { min, max, step });
        let functional = include_str!("../../steps/builtin/functional.yaml");
        let words: Vec<_> = functional.lines().map(|line| line.trim().trim_start_matches("- ")).collect();
        let given = |name: &str| {
            let at = words.iter().position(|word| *word == name).unwrap();
            words[at + 1].trim_matches('"').parse::<u16>().unwrap()
        };
        assert_eq!(RANGES[1], Range { min: given("--min"), max: given("--max"), step: given("--step") });
    }

    #[test]
    fn a_port_that_is_taken_is_told() {
        // One that is free now; somebody may be quicker, and it is taken then too.
        let free = find()
            .into_iter()
            .flat_map(|ports| (ports.min..=ports.max).step_by(ports.step.into()))
            .find(|port| is_free(*port));
        let port = free.unwrap();
        let listener = std::net::TcpListener::bind(("0.0.0.0", port));
        assert!(find().iter().any(|ports| ports.taken.contains(&port)));
        drop(listener);
    }
}
