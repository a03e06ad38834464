//! What the variables of jobs are called that have secrets. The names of secrets in plans come in, names of variables go out.

use std::collections::HashMap;

use indexmap::IndexMap;
use sha2::{Digest as _, Sha256};

use super::{Job, SERVICE, Wanted};
use crate::compile::address_secret;
use crate::plan::Plan;

/// What they all begin with.
const PREFIX: &str = "FARM_";

/// A secret that a job is given.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Given {
    /// What its plan calls it.
    pub secret: String,
    /// The variable that has it.
    pub variable: String,
    /// What that has to hold.
    pub meaning: String,
}

/// Finds variables for the secrets that jobs need. The password of PostgreSQL is where the user says; others are called by their
/// secrets, and no two alike.
pub(super) fn give(jobs: &mut [Job], wanted: &Wanted<'_>) {
    let mut all: IndexMap<String, Given> = IndexMap::new();
    for (plan, secret) in jobs.iter().flat_map(|job| job.plan.secrets.iter().map(|secret| (&job.plan, secret))) {
        all.entry(secret.clone()).or_insert_with(|| given(plan, secret, wanted));
    }
    let mut uses: HashMap<String, usize> = HashMap::new();
    for given in all.values() {
        *uses.entry(given.variable.clone()).or_default() += 1;
    }
    for given in all.values_mut() {
        if uses[&given.variable] > 1 && Some(given.variable.as_str()) != wanted.password {
            given.variable = format!("{}_{}", given.variable, hash(&given.secret));
        }
    }
    for job in jobs {
        job.secrets = job.plan.secrets.iter().filter_map(|secret| all.get(secret).cloned()).collect();
    }
}

fn given(plan: &Plan, secret: &str, wanted: &Wanted<'_>) -> Given {
    let (variable, meaning) = match wanted.password {
        Some(name) if secret.starts_with(&format!("{}-{SERVICE}-", wanted.slave)) => {
            (name.to_owned(), "the password of the jobs' PostgreSQL: any will do".to_owned())
        }
        _ if secret == address_secret(&plan.build) => {
            (plain(secret), format!("USER:PASSWORD for the repository that has the buildout of {}", plan.build))
        }
        _ => (plain(secret), format!("what plans call {secret}")),
    };
    Given { secret: secret.to_owned(), variable, meaning }
}

fn plain(secret: &str) -> String {
    let words = secret.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    format!("{PREFIX}{}", words.collect::<Vec<_>>().join("_").to_ascii_uppercase())
}

fn hash(secret: &str) -> String {
    Sha256::digest(secret.as_bytes()).iter().take(4).map(|byte| format!("{byte:02X}")).collect()
}
