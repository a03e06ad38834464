//! What the REST API of a master tells of builds. In: a running master. Out: builds, their steps, logs and properties. Goes with
//! `buildbot`.

// Each test program uses its own part of this.
#![allow(dead_code)]

use serde_json::{Value, json};

use super::buildbot::Master;

/// A build.
#[derive(Debug)]
pub struct Build {
    /// Its number among all of the master's.
    pub id: u64,
    /// The builder.
    pub builder: String,
    /// The worker.
    pub worker: String,
    /// How it ended, in Buildbot's numbers; none while it has not.
    pub results: Option<u64>,
    /// What it says of itself.
    pub state: String,
}

/// Buildbot's numbers.
pub const SUCCESS: Option<u64> = Some(0);
pub const FAILURE: Option<u64> = Some(2);
pub const RETRY: Option<u64> = Some(5);
pub const CANCELLED: Option<u64> = Some(6);

fn list(value: Value) -> Vec<Value> {
    let Value::Array(list) = value else { panic!("{value} is no list") };
    list
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// All builds, the oldest first.
pub fn builds(master: &Master) -> Vec<Build> {
    let name = |list: &[Value], id: &str, wanted: &Value| {
        list.iter().find(|item| item[id] == *wanted).map(|item| text(&item["name"])).unwrap_or_default()
    };
    let (builders, workers) = (list(master.get("builders")), list(master.get("workers")));
    let mut builds: Vec<Build> = list(master.get("builds"))
        .into_iter()
        .map(|build| Build {
            id: build["buildid"].as_u64().unwrap(),
            builder: name(&builders, "builderid", &build["builderid"]),
            worker: name(&workers, "workerid", &build["workerid"]),
            results: if build["complete"] == true { build["results"].as_u64() } else { None },
            state: text(&build["state_string"]),
        })
        .collect();
    builds.sort_by_key(|build| build.id);
    builds
}

/// Waits for the end of all builds after one, as many as are expected: `builder worker results` of each, in order of names.
#[track_caller]
pub fn ended(master: &Master, after: u64, count: usize) -> Vec<Build> {
    let since =
        |master: &Master| -> Vec<Build> { builds(master).into_iter().filter(|build| build.id > after).collect() };
    let mut found = master.until("builds", |_| {
        let found = since(master);
        (found.len() >= count && found.iter().all(|build| build.results.is_some())).then_some(found)
    });
    assert_eq!(found.len(), count, "{found:#?}");
    found.sort_by(|one, other| (&one.builder, one.id).cmp(&(&other.builder, other.id)));
    found
}

/// The latest build's number; 0 before the first.
pub fn latest(master: &Master) -> u64 {
    builds(master).last().map_or(0, |build| build.id)
}

/// Everything that the API has to tell anybody.
pub fn everything(master: &Master) -> String {
    let all = [
        "builders",
        "workers",
        "changes",
        "changesources",
        "schedulers",
        "forceschedulers",
        "buildsets",
        "buildrequests",
    ];
    let mut everything: String = all.map(|path| master.get(path).to_string()).concat();
    for build in builds(master) {
        for path in ["", "/properties", "/steps", "/changes"] {
            everything += &master.get(&format!("builds/{}{path}", build.id)).to_string();
        }
        everything += &build.told(master);
    }
    everything
}

/// Waits until a step of a builder's build after one says something in its log.
#[track_caller]
pub fn says(master: &Master, after: u64, builder: &str, step: &str, words: &str) -> Build {
    master.until("builds", |_| {
        let build = builds(master).into_iter().find(|build| build.id > after && build.builder == builder)?;
        let found = build.steps(master).into_iter().find(|found| found["name"] == step)?;
        let logs = list(master.get(&format!("steps/{}/logs", found["stepid"])));
        let log = logs.iter().find(|log| log["name"] == "stdio")?;
        let content = text(&master.get(&format!("logs/{}/contents", log["logid"]))[0]["content"]);
        content.contains(words).then_some(build)
    })
}

/// Asks for builds by hand, with properties.
#[track_caller]
pub fn force(master: &Master, build: &str, builders: &[&str], properties: &Value) {
    let mut parameters = json!({"builderNames": builders, "username": "ann", "reason": "test"});
    parameters.as_object_mut().unwrap().extend(properties.as_object().unwrap().clone());
    let asked = master.call(&format!("forceschedulers/force-{build}"), "force", &parameters);
    asked.unwrap_or_else(|error| panic!("{build} {builders:?}: {error}"));
}

impl Build {
    /// Its steps, in order.
    pub fn steps(&self, master: &Master) -> Vec<Value> {
        list(master.get(&format!("builds/{}/steps", self.id)))
    }

    /// One of them.
    #[track_caller]
    pub fn step(&self, master: &Master, name: &str) -> Value {
        let steps = self.steps(master);
        let found = steps.iter().find(|step| step["name"] == name);
        found.unwrap_or_else(|| panic!("no step {name} of {}: {steps:#?}", self.builder)).clone()
    }

    /// The log of a step, without what says of which stream a line is.
    #[track_caller]
    pub fn log(&self, master: &Master, step: &str) -> String {
        self.log_named(master, step, "stdio")
    }

    /// One of the logs of a step.
    #[track_caller]
    pub fn log_named(&self, master: &Master, step: &str, log: &str) -> String {
        let id = &self.step(master, step)["stepid"];
        let logs = list(master.get(&format!("steps/{id}/logs")));
        let found = logs.iter().find(|found| found["name"] == log);
        let id = &found.unwrap_or_else(|| panic!("no {log} of {step}: {logs:#?}"))["logid"];
        text(&master.get(&format!("logs/{id}/contents"))[0]["content"])
    }

    /// A property.
    pub fn property(&self, master: &Master, name: &str) -> Value {
        master.get(&format!("builds/{}/properties", self.id))[0][name][0].clone()
    }

    /// The names of the steps that were performed and went well.
    pub fn succeeded(&self, master: &Master) -> Vec<String> {
        let steps = self.steps(master).into_iter().filter(|step| step["results"] == 0);
        steps.map(|step| text(&step["name"])).collect()
    }

    /// The revisions of the changes that it is for.
    pub fn changes(&self, master: &Master) -> Vec<String> {
        let changes = list(master.get(&format!("builds/{}/changes", self.id)));
        changes.iter().map(|change| text(&change["revision"])).collect()
    }

    /// All that is known of it, for messages: the steps with what they say, and the logs.
    pub fn told(&self, master: &Master) -> String {
        let mut told = format!("{} on {}: {:?} {}\n", self.builder, self.worker, self.results, self.state);
        for step in self.steps(master) {
            told += &format!("{} {} {}\n", step["name"], step["results"], step["state_string"]);
            let logs = list(master.get(&format!("steps/{}/logs", step["stepid"])));
            for log in logs.into_iter().filter(|log| log["name"] != "err.html") {
                let content = text(&master.get(&format!("logs/{}/contents", log["logid"]))[0]["content"]);
                told += &format!("--- {}\n{content}\n", log["name"]);
            }
        }
        told
    }

    /// Demands how it ended.
    #[track_caller]
    pub fn is(&self, master: &Master, results: Option<u64>) -> &Self {
        assert_eq!(self.results, results, "{}", self.told(master));
        self
    }
}
