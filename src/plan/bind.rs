//! The second half of lowering: a procedure on one slave. Options of capabilities get their values; what only the run
//! knows stays a placeholder.

use indexmap::IndexMap;
use sha2::{Digest as _, Sha256};

use super::offered::{Offered, is_at_run_time};
use super::placeholder::{self, Value};
use super::{FORMAT, LowerError, Plan, Procedure, Step};
use crate::model::{Declarations, Slave};

/// PostgreSQL cuts identifiers off after these bytes, without a word.
pub(crate) const LONGEST_DATABASE: usize = 63;

/// The placeholders that the runner fills in.
pub(crate) const AT_RUN_TIME: [&str; 8] =
    ["basedir", "builder-dir", "build-dir", "tmp-dir", "caches", "socket-dir", "farmout", "run"];

/// Names in a slave's base directory that are no builder's.
const TAKEN: [&str; 11] = [
    "bin",
    "buildbot.tac",
    "buildout-caches",
    "home",
    "info",
    "locks",
    "postgresql",
    "tmp",
    "twistd.log",
    "twistd.pid",
    "uploads",
];

/// Binds a procedure to a slave that takes it.
///
/// # Errors
/// A placeholder that nothing fills in.
pub fn bind(procedure: &Procedure, slave: &Slave, declarations: &Declarations) -> Result<Plan, LowerError> {
    let mut binding = Binding::new(procedure, slave, declarations);
    let failed = |step: &str| {
        let step = step.to_owned();
        move |error| LowerError::Placeholder { step, error }
    };
    let setting = binding.offered.setting(declarations);
    let setting = setting.map_err(|(part, error)| LowerError::Placeholder { step: part.to_owned(), error })?;
    let path: Result<_, _> = setting.path.iter().map(|directory| binding.fill(directory)).collect();
    let path = path.map_err(failed("path"))?;
    let environment = setting.environment.iter().map(|(name, value)| Ok((name.clone(), binding.fill(value)?)));
    let environment = environment.collect::<Result<_, _>>().map_err(failed("environment"))?;
    let mut steps = Vec::new();
    for procedure_step in &procedure.steps {
        if procedure_step.only_if.as_ref().is_none_or(|condition| binding.offered.meets(condition)) {
            let name = &procedure_step.step.name;
            steps.push(binding.step(&procedure_step.step).map_err(failed(name))?);
        }
    }
    Ok(Plan {
        farmout_plan: FORMAT,
        builder: procedure.builder.clone(),
        build: procedure.build.clone(),
        slave: slave.name.clone(),
        max_builds: slave.max_builds.and_then(|most| usize::try_from(most).ok()),
        manifest: procedure.manifest.clone(),
        category: procedure.category.clone(),
        directory: directory(&procedure.builder),
        database: binding.database.clone(),
        properties: binding.properties(setting.properties),
        secrets: std::mem::take(&mut binding.secrets),
        path,
        environment,
        files: procedure.files.clone(),
        steps,
    })
}

struct Binding<'a> {
    procedure: &'a Procedure,
    slave: &'a Slave,
    offered: Offered,
    database: String,
    /// The secrets that were asked for.
    secrets: Vec<String>,
}

impl<'a> Binding<'a> {
    fn new(procedure: &'a Procedure, slave: &'a Slave, declarations: &'a Declarations) -> Self {
        let offered = Offered::new(&procedure.chosen, &procedure.requires, slave, declarations);
        let database = database(&slave.db_prefix, &procedure.builder);
        Self { procedure, slave, offered, database, secrets: Vec::new() }
    }

    fn fill(&mut self, text: &str) -> Result<String, placeholder::Error> {
        let filled = placeholder::bind(text, |name| self.lookup(name))?;
        for name in placeholder::names(&filled)? {
            if let Some(secret) = name.strip_prefix("secret.")
                && !self.secrets.iter().any(|known| known == secret)
            {
                self.secrets.push(secret.to_owned());
            }
        }
        Ok(filled)
    }

    fn lookup(&self, name: &str) -> Value {
        if name == "database" {
            return Value::Known(self.database.clone());
        }
        if name == "slave" {
            return Value::Known(self.slave.name.clone());
        }
        if is_at_run_time(name) { Value::Later } else { self.offered.value(name) }
    }

    fn step(&mut self, step: &Step) -> Result<Step, placeholder::Error> {
        let run = step.run.iter().map(|argument| self.fill(argument)).collect::<Result<_, _>>()?;
        let follow = step.follow.iter().map(|file| self.fill(file)).collect::<Result<_, _>>()?;
        let environment = step
            .environment
            .iter()
            .map(|(name, value)| Ok((name.clone(), self.fill(value)?)))
            .collect::<Result<_, _>>()?;
        Ok(Step { run, environment, directory: self.fill(&step.directory)?, follow, ..step.clone() })
    }

    /// The builder's properties, those of the capabilities that it got here, and the slave's own.
    fn properties(&self, setting: IndexMap<String, String>) -> IndexMap<String, String> {
        let mut properties = self.procedure.properties.clone();
        properties.extend(setting);
        for (name, value) in &self.slave.properties {
            properties.entry(name.clone()).or_insert_with(|| value.clone());
        }
        properties
    }
}

/// The testing database: `<prefix>-<builder>`, with a hash in place of what PostgreSQL would cut off.
pub fn database(prefix: &str, builder: &str) -> String {
    let name = format!("{prefix}-{builder}");
    if name.len() <= LONGEST_DATABASE {
        return name;
    }
    let hash = short_hash(&name);
    let mut end = LONGEST_DATABASE - hash.len() - 1;
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}-{hash}", &name[..end])
}

/// The builder's directory: its name where that is a plain file name, else as much of it as can be, and a hash that
/// keeps apart builders whose names differ only in what was left out.
pub(crate) fn directory(builder: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let fine =
        !builder.is_empty() && builder.chars().all(plain) && !builder.starts_with(['.', '-']) && builder.len() <= 100;
    if fine && !TAKEN.contains(&builder) {
        return builder.to_owned();
    }
    let name: String = builder.chars().map(|c| if plain(c) { c } else { '_' }).take(90).collect();
    let name = match name.trim_start_matches(['.', '-']) {
        "" => "builder",
        name => name,
    };
    format!("{name}-{}", short_hash(builder))
}

/// Eight digits that tell names apart which would be the same without what was left out of them.
pub(crate) fn short_hash(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_databases_end_in_a_hash() {
        assert_eq!(database("openerp-buildbot", "demo-pg15"), "openerp-buildbot-demo-pg15");
        let long = "ü".repeat(40);
        let (one, two) = (database("x", &format!("{long}-pg15")), database("x", &format!("{long}-pg16")));
        assert!(one.len() <= 63 && two.len() <= 63 && one != two, "{one} {two}");
    }

    #[test]
    fn directories_are_plain_and_apart() {
        assert_eq!(directory("range-pg9.0-py2.6"), "range-pg9.0-py2.6");
        assert_ne!(directory("a b"), directory("a_b"));
        assert_ne!(directory("a b"), directory("a/b"));
        for odd in ["..", "../x", ".hidden", "bin", "-rf", "", "ü"] {
            let name = directory(odd);
            assert!(!name.contains('/') && !name.starts_with(['.', '-']) && name != odd, "{name}");
        }
    }
}
