//! The properties that a plan needs, and those that it has.

use indexmap::IndexSet;

use super::placeholder::{Error, finish};
use super::{Plan, Step};

impl Plan {
    /// All texts of the plan that may hold placeholders.
    pub fn texts(&self) -> impl Iterator<Item = &String> {
        let steps = self.steps.iter().flat_map(Step::texts);
        self.path.iter().chain(self.environment.values()).chain(steps)
    }

    /// The properties that its steps ask for, that have no value and no default, and that no step reports.
    pub fn missing_properties(&self) -> Vec<String> {
        let mut missing = IndexSet::new();
        for text in self.texts() {
            // One text may lack several.
            loop {
                let known = |name: &str| {
                    let Some(name) = name.strip_prefix("property.") else { return Some("known".to_owned()) };
                    let reported = self.steps.iter().any(|step| step.property.as_deref() == Some(name));
                    let given = self.properties.get(name).is_some_and(|value| !value.is_empty());
                    (reported || given || missing.contains(name)).then(|| "known".to_owned())
                };
                let Err(Error::Unknown(name)) = finish(text, known) else { break };
                missing.insert(name.trim_start_matches("property.").to_owned());
            }
        }
        missing.into_iter().collect()
    }
}
