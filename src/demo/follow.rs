//! What happens on the master, in a line each: builds begin and end. In: what the REST API tells. Out: the lines that are new.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::web::{BuildState, Web};
use crate::report::duration;

/// Follows the builds of a master.
#[derive(Debug, Default)]
pub struct Follower {
    builders: HashMap<u64, String>,
    workers: HashMap<u64, String>,
    last: u64,
    at_work: BTreeMap<u64, BuildState>,
    /// What is known and not told yet: an answer may be missing in the midst of a look.
    lines: Vec<String>,
}

/// Buildbot's results, by their numbers.
const RESULTS: [&str; 7] = ["success", "warnings", "failure", "skipped", "exception", "retry", "cancelled"];
/// Those that are no failure: success, warnings and skipped.
const GREEN: [i64; 3] = [0, 1, 3];

/// Whether a result is a good one.
pub(super) fn is_green(results: Option<i64>) -> bool {
    results.is_some_and(|results| GREEN.contains(&results))
}

impl Follower {
    /// What has happened since the last look.
    ///
    /// # Errors
    /// The master does not answer, or nothing that can be understood.
    pub fn look(&mut self, web: &Web) -> Result<Vec<String>, String> {
        for build in web.builds_after(self.last)? {
            let (name, worker) = (self.name(web, &build)?, self.worker(web, &build)?);
            self.lines.push(format!("{name} begins{worker}"));
            self.last = build.id;
            self.at_work.insert(build.id, build);
        }
        for id in self.at_work.keys().copied().collect::<Vec<_>>() {
            let build = web.build(id)?;
            if build.complete {
                let line = self.ended(web, &build)?;
                self.lines.push(line);
                self.at_work.remove(&id);
            }
        }
        Ok(std::mem::take(&mut self.lines))
    }

    fn ended(&mut self, web: &Web, build: &BuildState) -> Result<String, String> {
        let name = self.name(web, build)?;
        let result =
            build.results.and_then(|results| RESULTS.get(usize::try_from(results).ok()?).copied()).unwrap_or("unknown");
        let seconds = build.complete_at.map_or(0.0, |end| (end - build.started_at).max(0.0));
        let time = duration(Duration::try_from_secs_f64(seconds).unwrap_or_default());
        if is_green(build.results) {
            return Ok(format!("{name} {result}, {time}"));
        }
        let steps = web.steps(build.id)?;
        // The one that it ended with, or the first that did not do what it should.
        let failed = steps.iter().find(|step| step.results == build.results);
        let failed = failed.or_else(|| steps.iter().find(|step| step.results.is_some() && !is_green(step.results)));
        let why = failed.map_or_else(String::new, |step| match step.state_string.as_str() {
            "" => format!(" in {}", step.name),
            said => format!(" in {}: {said}", step.name),
        });
        let page = web.page(&format!("builders/{}/builds/{}", build.builder, build.number));
        Ok(format!("{name} {result}, {time}{why}\n         {page}"))
    }

    fn name(&mut self, web: &Web, build: &BuildState) -> Result<String, String> {
        if !self.builders.contains_key(&build.builder) {
            self.builders = web.builders()?.into_iter().map(|builder| (builder.id, builder.name)).collect();
        }
        let name = self.builders.get(&build.builder).map_or("?", String::as_str);
        Ok(format!("{name} #{}", build.number))
    }

    fn worker(&mut self, web: &Web, build: &BuildState) -> Result<String, String> {
        let Some(worker) = build.worker else { return Ok(String::new()) };
        if !self.workers.contains_key(&worker) {
            self.workers = web.workers()?.into_iter().map(|worker| (worker.id, worker.name)).collect();
        }
        Ok(self.workers.get(&worker).map(|name| format!(" on {name}")).unwrap_or_default())
    }
}
