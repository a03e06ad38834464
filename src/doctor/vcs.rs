//! Repositories that builds are fetched from, and those that are watched: each is asked, as the account, whether it is there and
//! has the branch. What is secret in an address goes by the environment only, and is never said.

use std::time::Duration;

use super::finding::summary;
use super::kind::{VCS_CLIENT, VCS_UNREACHABLE, VCS_WATCHED};
use super::{Finding, Mend, Patient};
use crate::host::needs::Need;
use crate::host::probe::parallel;
use crate::model::{Build, BuildoutSource, Vcs, credentials};
use crate::source::Span;
use crate::tool::fetch::{Address, CREDENTIALS, Trouble, TroubleKind};

/// A repository far away answers in seconds; a host that is gone never does.
const PATIENCE: Duration = Duration::from_secs(20);

/// A repository, and why it matters.
struct Question<'a> {
    vcs: Vcs,
    url: &'a str,
    branch: Option<&'a str>,
    build: &'a Build,
    span: Span,
    /// Whether the buildout itself is fetched from it; else it is watched.
    fetched: bool,
    number: usize,
}

pub(super) fn check(patient: &Patient<'_>) -> (String, Vec<Finding>) {
    let questions = questions(patient);
    let answers = parallel(&questions, |question| question.ask(patient));
    let mut findings: Vec<Finding> = Vec::new();
    let mut fine = 0;
    for (question, answer) in questions.iter().zip(answers) {
        let Some(trouble) = answer else {
            fine += 1;
            continue;
        };
        let finding = question.finding(patient, trouble);
        // One client is missing for many repositories.
        if !findings.iter().any(|known| known.what == finding.what) {
            findings.push(finding);
        }
    }
    let told = if fine == 0 { Vec::new() } else { vec![format!("{fine} of {} repositories answer", questions.len())] };
    let nothing = if questions.is_empty() { "no repository is fetched or watched" } else { "no repository answers" };
    (summary(&told, nothing), findings)
}

/// What is fetched and watched by the builds that the slave takes, each once.
fn questions<'a>(patient: &Patient<'a>) -> Vec<Question<'a>> {
    let mut questions: Vec<Question<'a>> = Vec::new();
    let builds = patient.builds();
    let mut add = |question: Question<'a>| {
        let same = |known: &Question<'a>| {
            (known.vcs, known.url, known.branch) == (question.vcs, question.url, question.branch)
        };
        if !questions.iter().any(same) {
            questions.push(Question { number: questions.len(), ..question });
        }
    };
    for build in &builds {
        let Some(buildout) = &build.buildout else { continue };
        let (vcs, url, branch) = match &buildout.source {
            BuildoutSource::HgTag { url, .. } => (Vcs::Hg, url, None),
            BuildoutSource::Vcs { vcs, url, branch, .. } => (*vcs, url, branch.as_deref()),
            BuildoutSource::Archive { .. } | BuildoutSource::Standalone { .. } => continue,
        };
        add(Question { vcs, url, branch, build, span: buildout.span, fetched: true, number: 0 });
    }
    for build in &builds {
        for watch in &build.watch {
            let branch = watch.branch.as_deref();
            add(Question {
                vcs: watch.vcs,
                url: &watch.url,
                branch,
                build,
                span: build.span,
                fetched: false,
                number: 0,
            });
        }
    }
    questions
}

impl Question<'_> {
    /// What is wrong with it, if anything is.
    fn ask(&self, patient: &Patient<'_>) -> Option<Trouble> {
        let address = Address::new(self.url);
        let url = credentials(self.url).map_or_else(|| self.url.to_owned(), |_| address.bare());
        let secret = credentials(self.url).unwrap_or_default();
        let into = patient.workshop.path().join(format!("vcs{}", self.number));
        let vcs = match self.vcs {
            Vcs::Bzr => "bzr",
            Vcs::Git => "git",
            Vcs::Hg => "hg",
        };
        let mut arguments = vec!["tool", "fetch", "reach", vcs, "--into", into.as_str()];
        let url = format!("--url={url}");
        arguments.push(&url);
        let branch = self.branch.map(|branch| format!("--branch={branch}"));
        arguments.extend(branch.as_deref());
        let probe = patient.workshop.probe(PATIENCE).with(CREDENTIALS, secret).with("CLICOLOR_FORCE", "0");
        let other = |message| Some(Trouble { kind: TroubleKind::Unreachable, message, help: None });
        match probe.output(&patient.workshop.program, &arguments) {
            Err(problem) => other(format!("{} {problem}", address.shown())),
            Ok(output) => {
                let line = output.stdout.lines().next_back().unwrap_or_default();
                match serde_json::from_str::<Option<Trouble>>(line) {
                    Ok(answer) => answer,
                    Err(_) => other(address.hide(&super::failure_of(&output.stderr).0)),
                }
            }
        }
    }

    fn finding(&self, patient: &Patient<'_>, trouble: Trouble) -> Finding {
        let client = match self.vcs {
            Vcs::Bzr => "Breezy",
            Vcs::Git => "git",
            Vcs::Hg => "Mercurial",
        };
        if trouble.kind == TroubleKind::NoClient {
            let needs = Need::all();
            let need: Vec<&Need> = needs.iter().filter(|need| need.name == client).collect();
            let what = format!("{} has no client of {client}: {}", patient.user(), trouble.message);
            let kind = if self.fetched { &VCS_CLIENT } else { &VCS_WATCHED };
            return Finding::new(kind, what, patient.install(&need));
        }
        let kind = if self.fetched { &VCS_UNREACHABLE } else { &VCS_WATCHED };
        let what = if self.fetched {
            format!("the buildout of [{}]: {}", self.build.name, trouble.message)
        } else {
            format!("watched by [{}]: {}", self.build.name, trouble.message)
        };
        let offline =
            "is this machine online, and may it get there? Try the address in a shell as the user that builds run as";
        let mend = match (trouble.kind, trouble.help) {
            (TroubleKind::Lacking, Some(help)) => format!("correct the branch in the manifest: {help}"),
            (TroubleKind::Lacking, None) => "correct the branch in the manifest, or push it".to_owned(),
            (_, help) => help.unwrap_or_else(|| offline.to_owned()),
        };
        Finding::new(kind, what, Mend::advice(mend)).at(self.span, &patient.compilation.sources)
    }
}
