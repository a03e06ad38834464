//! The farm for services that run jobs in containers. The graph and the picked builders come in; a job for each of them, with its
//! plan, goes out, and why others have none. What the jobs look like in a file is the business of [`gitlab`] and [`github`]; nothing is
//! written here.

pub mod github;
pub mod gitlab;
mod header;
mod image;
mod program;
mod script;
mod stand_in;
mod variables;
mod yaml;

use indexmap::IndexMap;

use crate::Compilation;
use crate::dispatch::Builder;
use crate::plan::{Phase, Plan, Step, bind, lower};

pub use image::ImageRule;
use image::Images;
pub use program::Program;
pub use script::PLANS;
use stand_in::SERVICE;
pub use variables::Given;

/// What a job does beside its steps: containers are started, caches are moved.
const BESIDES: u64 = 600;

/// A step whose failure has nothing to do with what is built is tried again so many times.
const RETRIES: u32 = 2;

/// A step may go on for as long as it writes something, and a job may not: it is given so many times the step's limit without output.
const TALKING: u64 = 2;

/// What jobs are made with beside the farm.
#[derive(Debug)]
pub struct Wanted<'a> {
    /// What the slave that stands for a job is called in plans.
    pub slave: &'a str,
    /// Which images have what.
    pub images: &'a [ImageRule],
    /// The image of PostgreSQL, if it is another than the usual one.
    pub postgresql: Option<&'a str>,
    /// The variable that has the password of the jobs' PostgreSQL, if it asks for one.
    pub password: Option<&'a str>,
    /// The properties that builds are given.
    pub properties: &'a IndexMap<String, String>,
}

/// A job: a builder, in a container.
#[derive(Debug)]
pub struct Job {
    /// What it does.
    pub plan: Plan,
    /// The image that it runs in.
    pub image: String,
    /// The image of its PostgreSQL, if it has one.
    pub postgresql: Option<String>,
    /// Whether changes of some repository begin it.
    pub watched: bool,
    /// The properties that it lacks.
    pub lacking: Vec<String>,
    /// The secrets that it is given.
    pub secrets: Vec<Given>,
}

impl Job {
    /// After how many minutes the service ends the job. It knows limits of its own, and `most` is the longest.
    pub(super) fn minutes(&self, most: u64) -> u64 {
        minutes(&self.plan.steps, most)
    }
}

/// How long steps can take, and their further attempts, before their own limits end all of them but those that write on and on.
fn minutes(steps: &[Step], most: u64) -> u64 {
    let seconds = |step: &Step| {
        let talking = || step.idle_timeout.map(|silent| silent.saturating_mul(TALKING));
        let attempts = if step.infrastructure { 1 + u64::from(RETRIES) } else { 1 };
        step.timeout.or_else(talking).unwrap_or_default().saturating_mul(attempts)
    };
    steps.iter().map(seconds).fold(BESIDES, u64::saturating_add).div_ceil(60).min(most)
}

/// A builder that has no job.
#[derive(Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// The builder.
    pub builder: String,
    /// Why, and what to do about it.
    pub reason: String,
}

/// The picked builders.
#[derive(Debug, Default)]
pub struct Jobs {
    /// Those that have jobs.
    pub jobs: Vec<Job>,
    /// Those that have none.
    pub left_out: Vec<LeftOut>,
}

impl Jobs {
    /// Makes the jobs of the picked builders.
    pub fn new(compilation: &Compilation, picked: &[&Builder], wanted: &Wanted<'_>) -> Self {
        let mut made = Self::default();
        for builder in picked {
            match job(compilation, builder, wanted) {
                Ok(job) => made.jobs.push(job),
                Err(reason) => made.leave_out(builder.name.clone(), reason),
            }
        }
        variables::give(&mut made.jobs, wanted);
        made
    }

    /// Leaves those out whose properties are not all there.
    #[must_use]
    pub fn complete(mut self) -> Self {
        let (complete, lacking) = self.jobs.into_iter().partition(|job| job.lacking.is_empty());
        self.jobs = complete;
        for Job { plan, lacking, .. } in lacking {
            let names: Vec<_> = lacking.iter().map(|name| format!("`{name}`")).collect();
            let options: Vec<_> = lacking.iter().map(|name| format!("--property {name}=…")).collect();
            let properties = if names.len() == 1 { "property" } else { "properties" };
            let reason = format!("it needs the {properties} {}: {}", names.join(" and "), options.join(" "));
            self.leave_out(plan.builder, reason);
        }
        self
    }

    fn leave_out(&mut self, builder: String, reason: String) {
        self.left_out.push(LeftOut { builder, reason });
    }
}

fn job(compilation: &Compilation, builder: &Builder, wanted: &Wanted<'_>) -> Result<Job, String> {
    let graph = &compilation.graph;
    let slave = stand_in::slave(graph, builder, wanted);
    let Images { image, postgresql } = image::images(&slave, wanted)?;
    let procedure = lower(compilation, builder, None).map_err(|error| error.to_string())?;
    let mut plan =
        bind(&procedure, &slave, &graph.farm.declarations).map_err(|error| unbound(&error.to_string(), &slave.name))?;
    if postgresql.is_none() && plan.steps.iter().any(|step| step.phase == Phase::Db) {
        return Err(
            "it takes the default PostgreSQL cluster of its slave, and a job has none: write `build-for = postgresql` \
                    or `build-requires = postgresql` in its build"
                .to_owned(),
        );
    }
    plan.properties.extend(wanted.properties.clone());
    let lacking = plan.missing_properties();
    let watched = !graph.build(builder).watch.is_empty();
    Ok(Job { plan, image, postgresql, watched, lacking, secrets: Vec::new() })
}

/// What a slave of the farm says of a capability, its image says in its environment.
fn unbound(error: &str, slave: &str) -> String {
    format!("{error}, as the slave `{slave}`, which stands for its job, has no options: give the placeholder a default")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_job_has_the_time_of_all_that_its_steps_may_do() {
        let step = |limits: Value| -> Step {
            let mut step = json!({"name": "x", "phase": "fetch", "template": "x", "run": ["x"]});
            step.as_object_mut().unwrap().extend(limits.as_object().unwrap().clone());
            serde_json::from_value(step).unwrap()
        };
        for (limits, expected) in [
            (vec![], 10),
            (vec![json!({})], 10),
            (vec![json!({"timeout": 60}), json!({"timeout": 61})], 13),
            // Output resets this one.
            (vec![json!({"idle-timeout": 60})], 12),
            (vec![json!({"idle-timeout": 60, "timeout": 90})], 12),
            // What depends on other machines is tried three times.
            (vec![json!({"timeout": 60, "infrastructure": true})], 13),
            (vec![json!({"idle-timeout": 60, "infrastructure": true})], 16),
            (vec![json!({"idle-timeout": 86400})], 360),
            (vec![json!({"timeout": u64::MAX, "infrastructure": true})], 360),
        ] {
            let steps: Vec<Step> = limits.iter().cloned().map(step).collect();
            assert_eq!(minutes(&steps, 360), expected, "{limits:?}");
        }
    }
}
