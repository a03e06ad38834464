//! What the master tells over its REST API, and what it is asked for there. In: the port of its web server on loopback. Out:
//! answers as they are, or a clause that says why there is none.

use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::diagnostic::plain;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long an answer may be.
const LARGEST: u64 = 256 << 20;

/// A master's web server.
#[derive(Debug)]
pub struct Web {
    agent: ureq::Agent,
    address: String,
}

/// A worker.
#[derive(Debug, Deserialize)]
pub(super) struct WorkerState {
    #[serde(rename = "workerid")]
    pub(super) id: u64,
    pub(super) name: String,
    /// The masters that it is connected to.
    connected_to: Vec<Value>,
}

impl WorkerState {
    pub(super) fn is_attached(&self) -> bool {
        !self.connected_to.is_empty()
    }
}

/// A builder.
#[derive(Debug, Deserialize)]
pub(super) struct BuilderState {
    #[serde(rename = "builderid")]
    pub(super) id: u64,
    pub(super) name: String,
}

/// A build of a builder.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct BuildState {
    #[serde(rename = "buildid")]
    pub(super) id: u64,
    #[serde(rename = "builderid")]
    pub(super) builder: u64,
    #[serde(rename = "workerid")]
    pub(super) worker: Option<u64>,
    pub(super) number: u64,
    pub(super) started_at: f64,
    pub(super) complete_at: Option<f64>,
    pub(super) complete: bool,
    pub(super) results: Option<i64>,
}

/// A step of a build.
#[derive(Debug, Deserialize)]
pub(super) struct StepState {
    pub(super) name: String,
    pub(super) results: Option<i64>,
    pub(super) state_string: String,
}

/// What somebody asked for: builds that were tried again count as one.
#[derive(Debug, Deserialize)]
pub(super) struct BuildsetState {
    pub(super) complete: bool,
    pub(super) results: Option<i64>,
}

#[derive(Debug, Deserialize)]
struct Scheduler {
    name: String,
}

impl Web {
    /// The web server at a port.
    pub(super) fn new(port: u16) -> Self {
        // A proxy is for others.
        let config =
            ureq::Agent::config_builder().proxy(None).timeout_global(Some(PATIENCE)).http_status_as_error(false);
        Self { agent: config.build().new_agent(), address: format!("http://127.0.0.1:{port}") }
    }

    /// The address of one of its pages.
    pub fn page(&self, path: &str) -> String {
        format!("{}/#/{path}", self.address)
    }

    pub(super) fn workers(&self) -> Result<Vec<WorkerState>, String> {
        self.list("workers", "workers")
    }

    pub(super) fn builders(&self) -> Result<Vec<BuilderState>, String> {
        self.list("builders?field=builderid&field=name", "builders")
    }

    /// The builds after one of them.
    pub(super) fn builds_after(&self, id: u64) -> Result<Vec<BuildState>, String> {
        self.list(&format!("builds?buildid__gt={id}&order=buildid"), "builds")
    }

    pub(super) fn build(&self, id: u64) -> Result<BuildState, String> {
        self.one(&format!("builds/{id}"), "builds")
    }

    pub(super) fn steps(&self, build: u64) -> Result<Vec<StepState>, String> {
        self.list(&format!("builds/{build}/steps"), "steps")
    }

    pub(super) fn buildset(&self, id: u64) -> Result<BuildsetState, String> {
        self.one(&format!("buildsets/{id}"), "buildsets")
    }

    /// Asks for a build of a builder: the number of the buildset.
    pub(super) fn force(&self, builder: u64) -> Result<u64, String> {
        let schedulers: Vec<Scheduler> =
            self.list(&format!("builders/{builder}/forceschedulers"), "forceschedulers")?;
        let scheduler = schedulers.first().ok_or("nothing can force it")?;
        let parameters = json!({"builderid": builder.to_string(), "reason": "farmout demo-master", "owner": "farmout"});
        let call = json!({"jsonrpc": "2.0", "id": 1, "method": "force", "params": parameters});
        let post = self.agent.post(format!("{}/api/v2/forceschedulers/{}", self.address, scheduler.name));
        let mut response = post.content_type("application/json").send(call.to_string()).map_err(said)?;
        let answer: Value =
            serde_json::from_reader(response.body_mut().as_reader()).map_err(|error| error.to_string())?;
        if let Some(error) = answer.get("error").filter(|error| !error.is_null()) {
            let message = error.get("message").unwrap_or(error);
            return Err(message.as_str().map_or_else(|| message.to_string(), str::to_owned));
        }
        // The buildset, and the request of each builder.
        answer["result"][0].as_u64().ok_or_else(|| format!("the answer has no buildset: {answer}"))
    }

    /// The only thing at a path.
    fn one<T: DeserializeOwned>(&self, path: &str, name: &str) -> Result<T, String> {
        self.list(path, name)?.into_iter().next().ok_or_else(|| format!("{path} is empty"))
    }

    /// The things at a path, which the answer has under a name.
    fn list<T: DeserializeOwned>(&self, path: &str, name: &str) -> Result<Vec<T>, String> {
        let mut response = self.agent.get(format!("{}/api/v2/{path}", self.address)).call().map_err(said)?;
        if !response.status().is_success() {
            return Err(format!("{path}: it answers {}", response.status()));
        }
        let body = response.body_mut().with_config().limit(LARGEST).reader();
        let mut answer: Value = serde_json::from_reader(body).map_err(|error| format!("{path}: {error}"))?;
        serde_json::from_value(answer[name].take()).map_err(|error| format!("{path}: {error}"))
    }
}

fn said(error: ureq::Error) -> String {
    match error {
        ureq::Error::Io(error) => plain(&error.to_string()),
        error => error.to_string(),
    }
}
