//! A run as it is kept: its result, and its folder with plans and logs, made without running anything.

use std::fs;

use camino::Utf8Path;
use farmout::runner::{Ended, RunResult};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A run's folder, gone when it is dropped.
pub struct Kept {
    directory: TempDir,
    builders: Vec<Value>,
}

/// Seconds after the run began.
fn at(second: u32) -> String {
    format!("2026-11-22T21:{:02}:{:02}Z", 50 + second / 60, second % 60)
}

/// A step that ended so, began then and took so long.
pub fn step(name: &str, phase: &str, outcome: &str, began: u32, seconds: f64) -> Value {
    json!({"name": name, "phase": phase, "outcome": outcome, "started": at(began), "at": began, "seconds": seconds})
}

impl Kept {
    /// A run without builders.
    pub fn new() -> Self {
        Self { directory: tempfile::Builder::new().prefix("kept").tempdir().unwrap(), builders: Vec::new() }
    }

    /// The run's folder.
    pub fn folder(&self) -> &Utf8Path {
        Utf8Path::from_path(self.directory.path()).unwrap()
    }

    /// Adds a builder of a build, with the logs of its steps.
    pub fn add(
        &mut self,
        build: &str,
        postgresql: &str,
        outcome: &str,
        reason: Option<&str>,
        steps: Vec<(Value, Option<&[u8]>)>,
    ) {
        let builder = format!("{build}-pg{postgresql}");
        // As farmout does, for names that are none of files.
        let directory = builder.replace(|c: char| !c.is_ascii_alphanumeric() && c != '-', "_");
        let folder = self.folder().join(&directory);
        fs::create_dir_all(&folder).unwrap();
        let plan = json!({"builder": builder, "properties": {"pg_version": postgresql, "empty": ""}});
        fs::write(folder.join("plan.yaml"), serde_yaml::to_string(&plan).unwrap()).unwrap();
        let mut seconds = 0.0;
        let steps = steps.into_iter().enumerate().map(|(number, (mut step, log))| {
            seconds += step["seconds"].as_f64().unwrap();
            if let Some(log) = log {
                let name = format!("{:02}-{}.log", number + 1, step["name"].as_str().unwrap());
                fs::write(folder.join(&name), log).unwrap();
                step["log"] = json!(name);
                step["directory"] = json!("/srv/farm/build");
            }
            step
        });
        let steps: Vec<Value> = steps.collect();
        self.builders.push(json!({
            "builder": builder, "build": build, "directory": directory, "outcome": outcome, "reason": reason, "seconds": seconds, "steps": steps,
        }));
    }

    /// The run's result.
    pub fn result(&self, outcome: &str) -> RunResult {
        let result = json!({
            "run": "20261122-215000-k3f9", "folder": self.folder(), "slave": "atlas", "jobs": 3, "outcome": outcome, "started": at(0), "seconds": 240.0,
            "builders": self.builders,
        });
        serde_json::from_value(result).unwrap()
    }

    /// A run of four builders, one of them red, one with a name that no file could have, with logs that are hard to show.
    pub fn small() -> Self {
        let mut kept = Self::new();
        let test: String = (1..=3000)
            .map(|number| match number {
                1234 | 2500 => format!("{number} the Needle in the haystack\n"),
                2000 => format!("{number} {}end of a long line\n", "wide ".repeat(1000)),
                _ => format!("{number} hay\n"),
            })
            .collect();
        let analysis = b"error: ERROR in a log (1)\n     12  2026 ERROR shop: <b>bold</b> & more\n     13  Traceback\n";
        kept.add(
            "shop",
            "15",
            "success",
            None,
            vec![
                (step("fetch", "fetch", "success", 0, 5.0), Some(b"fetched\n")),
                (step("test", "post-buildout", "success", 5, 90.0), Some(b"all is well, no needle here\n")),
            ],
        );
        let mut analyze = step("analyze-test-log", "post-buildout", "failure", 160, 0.5);
        analyze["command"] = json!(["/usr/bin/farmout", "tool", "analyze-log", "test.log"]);
        analyze["exit"] = json!(1);
        analyze["reason"] = json!("exit status 1");
        let mut buildout = step("buildout", "buildout", "success", 30, 30.0);
        buildout["waited"] = json!(12.0);
        buildout["retried"] = json!([{"reason": "exit status 7", "seconds": 2.0, "log": "lost.log"}]);
        let mut skipped = step("doc", "post-buildout", "skipped", 161, 0.0);
        skipped["reason"] = json!("the build has failed");
        kept.add(
            "shop",
            "17",
            "failure",
            Some("step `analyze-test-log`: exit status 1"),
            vec![
                (step("fetch", "fetch", "success", 10, 5.0), Some(b"fetched\n")),
                (buildout, Some(b"")),
                (step("test", "post-buildout", "failure", 60, 100.0), Some(test.as_bytes())),
                (analyze, Some(analysis)),
                (skipped, None),
                (step("stop-cluster", "clean-up", "success", 161, 1.0), Some(b"stopped\n")),
            ],
        );
        kept.add(
            "shop \"7/2\": <i>é</i>",
            "17",
            "warnings",
            Some("step `nose`: exit status 2"),
            vec![(step("nose", "post-buildout", "warnings", 100, 40.0), Some(NASTY))],
        );
        kept.add(
            "docs",
            "15",
            "interrupted",
            Some("interrupted"),
            vec![(step("static-analysis", "post-buildout", "interrupted", 200, 12.0), None)],
        );
        kept
    }

    /// What is kept of runs before: the builder `shop-pg17` had these outcomes and took so long, the oldest first.
    pub fn past(outcomes: &[(&str, f64)]) -> Vec<Ended> {
        let runs = outcomes.iter().enumerate().map(|(number, (outcome, seconds))| {
            serde_json::from_value(json!({
                "run": format!("202611{:02}-040000-aaaa", number + 1), "builder": "shop-pg17", "outcome": outcome,
                "ended": format!("2026-11-{:02}T04:05:00Z", number + 1), "seconds": seconds,
            }))
            .unwrap()
        });
        runs.collect()
    }

    /// The result of another run, of that day, with one builder.
    pub fn other(day: u32, outcome: Option<&str>, seconds: f64) -> RunResult {
        serde_json::from_value(json!({
            "run": format!("202611{day:02}-040000-aaaa"), "folder": "elsewhere", "outcome": outcome,
            "started": format!("2026-11-{day:02}T04:00:00Z"), "seconds": seconds,
            "builders": [{"builder": "shop-pg17", "directory": "shop-pg17", "outcome": outcome, "seconds": seconds}],
        }))
        .unwrap()
    }
}

/// What breaks pages: ends of elements, comments, bytes that are no text, colours, a progress bar, control characters.
pub const NASTY: &[u8] = b"</script><script>window.broken = 1</script>\n\
    <!-- <script> ]]> & &amp; \"quoted\" 'too'\n\
    not UTF-8: \xff\xfe \xc3(\n\
    \x1b[1;31mred and bold\x1b[0m plain \x1b]0;title\x07\x1b[2Kafter\n\
    10%\r50%\r100% done\r\n\
    nul \x00 bell \x07 delete \x7f\n\
    <img src=x onerror=\"window.broken = 2\">\n\
    \xe2\x80\xaereversed\n\
    last line without an end";
