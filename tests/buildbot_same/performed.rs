//! What a builder did, from the records of the runner and from those of Buildbot, in the same words: what differs by nature, such
//! as where the base directory is, has a name.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::buildbot::Master;
use super::records::Build;

/// Variables that are about the process which starts steps.
const NOT_COMPARED: [&str; 7] = ["FARMOUT_STEP", "HOME", "LOGNAME", "PWD", "SHLVL", "USER", "_"];

/// A builder's work.
#[derive(Debug)]
pub struct Performed {
    pub steps: Vec<Step>,
    pub outcome: String,
    pub properties: BTreeMap<String, String>,
}

/// A step that was performed.
#[derive(Debug, PartialEq)]
pub struct Step {
    pub name: String,
    pub outcome: String,
    /// None where no process was started.
    pub process: Option<Process>,
    /// Whether a file of it was kept. What is followed is another matter: how much of it falls into a step differs from run to run.
    pub kept: bool,
}

/// The process of a step.
#[derive(Debug, PartialEq)]
pub struct Process {
    pub command: Vec<String>,
    pub directory: String,
    pub environment: BTreeMap<String, String>,
    pub exit: Option<i64>,
}

/// What stands for what.
struct Names(Vec<(String, &'static str)>);

impl Names {
    fn of(base: &Path, properties: &BTreeMap<String, String>) -> Self {
        // Buildbot shows a secret by its name.
        let mut names = vec![(base.display().to_string(), "BASE"), ("<here-vault-1-passwd>".to_owned(), "***")];
        let ports = properties.iter().filter(|(name, _)| name.ends_with("-port"));
        names.extend(ports.map(|(_, port)| (port.clone(), "PORT")));
        Self(names)
    }

    fn text(&self, text: &str) -> String {
        let mut text = self.0.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to));
        // The folder for sockets has a new name in each build.
        while let Some(at) = text.find("/tmp/fo-") {
            let end = text[at + 5..].find('/').map_or(text.len(), |length| at + 5 + length);
            text.replace_range(at..end, "SOCKETS");
        }
        text
    }

    fn all(&self, properties: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        properties.iter().map(|(name, value)| (name.clone(), self.text(value))).collect()
    }

    fn command(&self, words: &[String]) -> Vec<String> {
        let mut words: Vec<_> = words.iter().map(|word| self.text(word)).collect();
        // Where farmout itself is depends on who starts it.
        if words.get(1).is_some_and(|word| word == "tool") {
            words[0] = "FARMOUT".to_owned();
        }
        // A worker has what is published, and archives, elsewhere at first.
        if words.get(2).is_some_and(|word| word == "upload") {
            let sources = words.iter().position(|word| word.starts_with("--"));
            words.truncate(sources.unwrap_or(words.len()));
        }
        words.iter_mut().filter(|word| word.starts_with("--root=")).for_each(|word| "--root=ROOT".clone_into(word));
        words
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// What a builder's result says that the runner did, which began with the environment `before`.
pub fn by_runner(result: &Value, base: &Path, before: &BTreeMap<String, String>) -> Performed {
    let properties: BTreeMap<String, String> = result["properties"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.clone(), text(value)))
        .collect();
    let names = Names::of(base, &properties);
    let performed = result["steps"].as_array().unwrap().iter().filter(|step| step["outcome"] != "skipped");
    let step = |step: &Value| {
        let words: Vec<String> = step["command"].as_array().into_iter().flatten().map(text).collect();
        let process = (!words.is_empty()).then(|| {
            let mut environment = before.clone();
            for (name, value) in step["environment"].as_object().into_iter().flatten() {
                match value.as_str() {
                    Some(value) => drop(environment.insert(name.clone(), value.to_owned())),
                    None => drop(environment.remove(name)),
                }
            }
            environment.retain(|name, _| !NOT_COMPARED.contains(&name.as_str()));
            Process {
                command: names.command(&words),
                directory: names.text(step["directory"].as_str().unwrap()).trim_end_matches('/').to_owned(),
                environment: names.all(&environment),
                // The system could not start it: for env, that is a status like any other.
                exit: step["exit"].as_i64().or(Some(127)),
            }
        });
        let kept = !step["kept"].is_null();
        Step { name: text(&step["name"]), outcome: text(&step["outcome"]), process, kept }
    };
    let steps = performed.map(step).collect();
    Performed { steps, outcome: text(&result["outcome"]), properties: names.all(&properties) }
}

/// What Buildbot says that it did on a worker. The steps around those of the plan are left out.
pub fn by_buildbot(master: &Master, build: &Build, base: &Path) -> Performed {
    let outcome = |results: &Value| match results.as_u64() {
        Some(0) => "success",
        Some(1) => "warnings",
        Some(2) => "failure",
        _ => "something else",
    };
    let own = ["worker_preparation", "get-farmout", "workspace", "workspace-end"];
    let of_plan = |step: &Value| !own.iter().any(|own| step["name"] == *own) && step["results"] != 3;
    let steps: Vec<Value> = build.steps(master).into_iter().filter(of_plan).collect();
    // Buildbot has a revision of its own, that of the source which it was asked for.
    let reported = |name: &str, source: &Value| {
        *source == "farmout" && (["path", "revision"].contains(&name) || name.ends_with("-port"))
    };
    let properties = master.get(&format!("builds/{}/properties", build.id))[0].clone();
    let properties = properties.as_object().unwrap().iter().filter(|(name, value)| reported(name, &value[1]));
    let properties: BTreeMap<String, String> =
        properties.map(|(name, value)| (name.clone(), text(&value[0]))).collect();
    let names = Names::of(base, &properties);
    let step = |step: &Value| {
        let name = text(&step["name"]);
        let header = Header::read(&build.log(master, &name));
        let logs = master.get(&format!("steps/{}/logs", step["stepid"]));
        let mut logs = logs.as_array().unwrap().iter().map(|log| log["name"].as_str().unwrap());
        let kept = logs.any(|name| name != "stdio" && !name.ends_with(".log"));
        // The files of the plan are written by a command there.
        let written = header.command.get(1..3).is_some_and(|words| words == ["tool", "write-files"]);
        let process = (!written && !header.command.is_empty()).then(|| Process {
            command: names.command(&header.command),
            directory: names.text(&header.directory).trim_end_matches('/').to_owned(),
            environment: names.all(&header.environment),
            exit: header.exit,
        });
        Step { name, outcome: outcome(&step["results"]).to_owned(), process, kept }
    };
    let steps = steps.iter().map(step).collect();
    let outcome = outcome(&build.results.into()).to_owned();
    Performed { steps, outcome, properties: names.all(&properties) }
}

/// What a worker writes of a command into its log.
#[derive(Debug, Default)]
struct Header {
    command: Vec<String>,
    directory: String,
    environment: BTreeMap<String, String>,
    exit: Option<i64>,
}

impl Header {
    /// Of the last command in the log.
    fn read(log: &str) -> Self {
        let mut header = Self::default();
        for line in log.lines().filter_map(|line| line.strip_prefix('h')) {
            if let Some(words) = line.strip_prefix(" argv: ") {
                header = Self { command: words_of(words), directory: header.directory, ..Self::default() };
            } else if let Some(rest) = line.strip_prefix(" in dir ") {
                header.directory = rest.split(" (").next().unwrap().to_owned();
            } else if let Some((name, value)) = line.strip_prefix("  ").and_then(|line| line.split_once('=')) {
                header.environment.insert(name.to_owned(), value.to_owned());
            } else if let Some(code) = line.strip_prefix("program finished with exit code ") {
                header.exit = code.parse().ok();
            }
        }
        header.environment.retain(|name, _| !NOT_COMPARED.contains(&name.as_str()));
        // `env` is what starts them.
        if header.command.first().is_some_and(|word| word == "env") {
            header.command.remove(0);
            while header.command.first().is_some_and(|word| word == "-u") {
                header.environment.remove(&header.command[1]);
                header.command.drain(..2);
            }
        }
        header
    }
}

/// The words of a list as Python writes it, `[b'one', b"another's"]`.
fn words_of(list: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = list;
    while let Some(at) = rest.find("b'").into_iter().chain(rest.find("b\"")).min() {
        let quote = rest[at + 1..].chars().next().unwrap();
        let mut word = Vec::new();
        let mut bytes = rest[at + 2..].bytes().enumerate();
        let end = loop {
            let (index, byte) = bytes.next().unwrap_or_else(|| panic!("no end of a word in {list}"));
            match byte {
                byte if byte == quote as u8 => break at + 2 + index + 1,
                b'\\' => match bytes.next().unwrap().1 {
                    b'n' => word.push(b'\n'),
                    b'x' => {
                        let digits = [bytes.next().unwrap().1, bytes.next().unwrap().1];
                        word.push(u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap());
                    }
                    other => word.push(other),
                },
                byte => word.push(byte),
            }
        };
        words.push(String::from_utf8(word).unwrap());
        rest = &rest[end..];
    }
    words
}
