//! Words for what Buildbot refuses, and for what it takes and should not. In: what the programs in `python/` found. Out: findings.

use serde::Deserialize;

use super::finding::{Finding, Place, some};
use super::loaded::Refusal;

/// Something about a configuration, and where it is.
#[derive(Debug, Deserialize)]
pub(super) struct Fact {
    place: Option<Place>,
    #[serde(flatten)]
    what: What,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
enum What {
    DoubledWorker { name: String, farm: bool },
    EmptyCommand { builder: String, step: String },
    MissingSecret { name: String, who: String, providers: usize },
    MissingSource { builder: String, step: String, path: String },
    NeverFed { scheduler: String, wants: Vec<String>, pollers: usize },
    OddEnvironment { builder: String, step: Option<String>, name: String, value: String },
    OddTimer { scheduler: String, option: String, value: String },
    PolledTwice { repository: String, branch: String },
    SharedDirectory { first: String, second: String, worker: String, directory: String, together: bool },
    SharedWorkdir { first: String, second: String, directory: String },
    UndefinedProperty { builder: String, step: Option<String>, name: String, doubt: Option<Doubt> },
    UnheardAbsence { worker: String, addresses: Vec<String> },
}

/// Why it is not sure that a property is missing.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Doubt {
    /// Whoever tells of a change may say anything.
    Change,
    /// The step is done under a condition.
    Condition,
    /// Another master has schedulers too.
    Master,
}

impl Doubt {
    const fn words(&self) -> &'static str {
        match self {
            Self::Change => " unless a change brings it",
            Self::Condition => ": its doStepIf has to leave it out then",
            Self::Master => " unless another master does",
        }
    }
}

/// Findings of facts; `known` are the secrets that are looked for elsewhere. Where secrets are left out, none is missed that a
/// provider may have.
pub(super) fn findings(facts: Vec<Fact>, known: &[String], secrets: bool) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    let (mut unheard, mut unfed) = (Vec::new(), Vec::new());
    for Fact { place, what } in facts {
        match what {
            What::MissingSecret { name, .. } if known.contains(&name) => {}
            What::MissingSecret { providers: 1.., .. } if !secrets => {}
            What::UnheardAbsence { worker, addresses } => unheard.push((worker, addresses, place)),
            // Without a place it is the farm's own.
            What::NeverFed { scheduler, .. } if place.is_none() => unfed.push(scheduler),
            what => findings.push(finding(what).at(place)),
        }
    }
    if !unfed.is_empty() {
        let schedulers = some(unfed.iter().map(String::as_str));
        let what = format!("nothing brings the changes that the farm waits for: {schedulers}");
        findings.push(Finding::error("never-fed", what).help(
            "have its repositories polled, configure(c, poll=300), or let hooks tell of changes: the options sendchange and change_hook",
        ));
    }
    if let Some((_, addresses, place)) = unheard.first() {
        let workers = some(unheard.iter().map(|(worker, ..)| worker.as_str()));
        let what = format!(
            "nobody hears of it when {workers} is away: `notify_on_missing` names {}, and no reporter mails that",
            some(addresses.iter().map(String::as_str))
        );
        findings.push(Finding::warning("unheard-absence", what).at(place.clone()).help(
            "c[\"services\"] = [reporters.MailNotifier(\"buildbot@example.org\", \
             generators=[reporters.WorkerMissingGenerator(workers=\"all\")])]",
        ));
    }
    // A mistake in what many builders share is one mistake.
    let mut told: Vec<Finding> = Vec::new();
    for finding in findings {
        match told.iter_mut().find(|other| {
            other.place.is_some()
                && (other.name, other.severity, &other.place, &other.help)
                    == (finding.name, finding.severity, &finding.place, &finding.help)
        }) {
            Some(other) => other.details.push(finding.what),
            None => told.push(finding),
        }
    }
    for finding in &mut told {
        let more = finding.details.len();
        if more > 0 {
            finding.details = vec![format!("and {} more like it, made by the same line", more)];
        }
    }
    told
}

fn finding(what: What) -> Finding {
    match what {
        What::DoubledWorker { name, farm } => {
            let whose = if farm { ", one of which is the farm's" } else { "" };
            Finding::error(
                "doubled-worker",
                format!("there are two workers `{name}`{whose}, and Buildbot takes only the last one"),
            )
            .help(if farm {
                "take it out, and change the farm's by overriding `Farm.worker`; or call it otherwise"
            } else {
                "take one out, or call it otherwise"
            })
        }
        What::EmptyCommand { builder, step } => {
            Finding::error("empty-command", format!("the step `{step}` of {builder} has an empty command"))
                .help("name a program: command=[\"make\", \"check\"]")
        }
        What::MissingSecret { name, who, providers } => {
            let what = format!("{who} asks for the secret `{name}`, which nothing keeps");
            Finding::error("secret-missing", what).help(match providers {
                0 => "there is no provider of secrets: c[\"secretsProviders\"] = [secrets.SecretInAFile(\"secrets\")]"
                    .to_owned(),
                _ => format!("write it into secrets/{name}, with the mode 600"),
            })
        }
        What::MissingSource { builder, step, path } => {
            let what = format!("the step `{step}` of {builder} sends {path} to the worker, and there is no such file");
            Finding::error("missing-source", what)
                .help("name a file of the master's; its path begins at the master's directory")
        }
        What::NeverFed { scheduler, wants, pollers } => {
            let wants = if wants.is_empty() { String::new() } else { format!(" ({})", wants.join(", ")) };
            let finding = |what: String| Finding::error("never-fed", what);
            match pollers {
                0 => finding(format!("the scheduler `{scheduler}` waits for changes{wants}, and nothing brings any"))
                    .help("add a poller, or hooks: c[\"change_source\"] = [changes.GitPoller(…)]"),
                _ => finding(format!("the scheduler `{scheduler}` waits for changes{wants} that no poller brings"))
                    .help("write repository and branch exactly as the poller has them"),
            }
        }
        What::OddEnvironment { builder, step, name, value } => {
            let whose = whose(&builder, step);
            let what = format!("{whose} sets the variable {name} to {value}, which is no text: the step would fail");
            let text = value.replace('\'', "");
            Finding::error("odd-environment", what).help(format!("write \"{name}\": \"{text}\""))
        }
        What::OddTimer { scheduler, option, value } => {
            let what = format!("the scheduler `{scheduler}` has {option}={value}, which is no number of seconds");
            let digits: String = value.chars().filter(|c| c.is_ascii_digit() || *c == '.').collect();
            let number = if digits.is_empty() { "60" } else { digits.as_str() };
            Finding::error("odd-timer", what).help(format!("write {option}={number}"))
        }
        What::PolledTwice { repository, branch } => {
            let what = format!("two pollers bring the changes of {repository}, branch {branch}: each of them twice");
            Finding::warning("polled-twice", what)
                .help("leave one out; the repositories that builds watch have the farm's")
        }
        What::SharedDirectory { first, second, worker, directory, together } => {
            let what = format!("{first} and {second} build in one directory on {worker}, {directory}");
            let finding = match together {
                true => Finding::error("shared-directory", what + ", maybe at the same time"),
                false => Finding::warning("shared-directory", what + ": each finds what the other has left"),
            };
            finding.help("give each a `workerbuilddir` of its own, or none")
        }
        What::SharedWorkdir { first, second, directory } => {
            let what =
                format!("the pollers of {first} and {second} keep both in {directory}: one of them will never work");
            Finding::error("shared-workdir", what).help("give each poller a `workdir` of its own")
        }
        What::UndefinedProperty { builder, step, name, doubt } => {
            let what = format!("{} asks for the property `{name}`, and nothing gives it", whose(&builder, step));
            let finding = match doubt {
                None => Finding::error("undefined-property", what),
                Some(doubt) => Finding::warning("undefined-property", what + doubt.words()),
            };
            finding.help(format!(
                "give it by a scheduler, a builder or a step before; or say what it is otherwise: %(prop:{name}:-DEFAULT)s"
            ))
        }
        What::UnheardAbsence { worker, addresses } => {
            Finding::warning("unheard-absence", format!("{worker}: {}", addresses.join(", ")))
        }
    }
}

/// A step, or the builder itself.
fn whose(builder: &str, step: Option<String>) -> String {
    step.map_or_else(|| format!("the builder {builder}"), |step| format!("the step `{step}` of {builder}"))
}

/// What Buildbot says, and for what happens most what to write instead.
pub(super) fn refused(refusal: Refusal) -> Finding {
    let Refusal { message, place } = refusal;
    let help = [
        (
            "have no schedulers to drive them",
            "name each in the `builderNames` of a scheduler; a ForceScheduler starts what is started by hand",
        ),
        ("uses unknown workers", "add the worker to c[\"workers\"], or name one that is there"),
        ("duplicate builder", "give it a name and a directory that no other has; the farm's are in farm.json"),
        ("used multiple times", "give each scheduler a name of its own"),
        ("but c['protocols'] not", "c[\"protocols\"] = {\"pb\": {\"port\": 9989}}"),
        ("does not define 'BuildmasterConfig'", "begin with `c = BuildmasterConfig = {}`"),
        ("No module named 'farm'", "`farmout render buildbot` writes farm.py beside master.cfg"),
        ("Unknown builder", "take it out of the scheduler's `builderNames`, or write it as in c[\"builders\"]"),
        ("no workers are configured", "`configure(c)` adds the farm's"),
        ("no builders are configured", "`configure(c)` adds the farm's"),
    ];
    let help = help.iter().find(|(part, _)| message.contains(part)).map(|(_, help)| *help);
    let finding = Finding::error("refused", format!("Buildbot refuses it: {}", message.trim())).at(place);
    match help {
        Some(help) => finding.help(help),
        None => finding,
    }
}
