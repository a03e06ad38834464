//! The scheduler beside a simple model of it, in simulated time: the model looks at every build every minute, and knows no
//! order of events but the whole history.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;
use jiff::Timestamp;
use proptest::prelude::*;

use super::{End, Scheduler, Terms};
use crate::model::{Change, Vcs, WatchedBranch, Wish};

const MINUTE: Duration = Duration::from_secs(60);
/// When a simulation begins: long after the clock did.
const BEGINNING: u32 = 1_000_000;

/// What happens in a minute, before builds are begun.
#[derive(Debug, Clone, Copy)]
enum Happening {
    /// A branch gets this revision.
    Change { branch: usize, revision: usize },
    /// Somebody wants a build.
    Force { build: usize },
    /// The scheduler is killed, and started again at once.
    Restart,
    /// The run of a build, if there is one, is stopped.
    Stop { build: usize },
}

/// A farm: for each build its minutes of quiet, the branches that it watches, and the minutes that it takes.
#[derive(Debug, Clone)]
struct Farm(Vec<(u32, Vec<usize>, u32)>);

/// A beginning: minute, build, and which of all changes it is for.
type Begun = (u32, usize, Vec<usize>);

fn branch(number: usize) -> WatchedBranch {
    WatchedBranch { vcs: Vcs::Git, url: format!("https://git.example/{number}"), branch: Some("main".to_owned()) }
}

fn change(branch_number: usize, revision: usize, number: usize) -> Arc<Change> {
    let WatchedBranch { vcs, url, branch } = branch(branch_number);
    Arc::new(Change {
        vcs,
        url,
        other_urls: Vec::new(),
        branch,
        revision: revision.to_string(),
        author: None,
        comment: Some(number.to_string()),
        files: Vec::new(),
        time: Timestamp::UNIX_EPOCH,
    })
}

fn wish() -> Wish {
    Wish { by: None, reason: None, time: Timestamp::UNIX_EPOCH }
}

impl Farm {
    fn name(build: usize) -> String {
        format!("build-{build}")
    }

    fn terms(&self) -> IndexMap<String, Terms> {
        let terms = self.0.iter().enumerate().map(|(build, (quiet, branches, _))| {
            let branches = branches.iter().map(|&number| branch(number)).collect();
            (Self::name(build), Terms { quiet: *quiet * MINUTE, branches })
        });
        terms.collect()
    }

    /// What the scheduler does.
    fn scheduled(&self, history: &BTreeMap<u32, Vec<Happening>>, end: u32) -> Vec<Begun> {
        let moment = |minute: u32| minute * MINUTE;
        let mut scheduler = Scheduler::default();
        scheduler.reload(self.terms());
        let (mut begun, mut number) = (Vec::new(), 0);
        let mut ends: BTreeMap<usize, u32> = BTreeMap::new();
        let mut minute = BEGINNING;
        loop {
            for (build, _) in ends.extract_if(.., |_, end| *end <= minute).collect::<Vec<_>>() {
                let done = End::Done { run: "run".to_owned(), outcome: "success".to_owned() };
                scheduler.end(moment(minute), &Self::name(build), done);
            }
            for happening in history.get(&minute).into_iter().flatten() {
                match *happening {
                    Happening::Change { branch: of, revision } => {
                        scheduler.change(moment(minute), &branch(of), &change(of, revision, number));
                        number += 1;
                    }
                    Happening::Force { build } => {
                        assert!(scheduler.force(moment(minute), &Self::name(build), wish()));
                    }
                    Happening::Restart => {
                        let kept = serde_json::to_vec(&scheduler.keep(moment(minute))).unwrap();
                        let kept = serde_json::from_slice(&kept).unwrap();
                        scheduler = Scheduler::restore(kept, Duration::ZERO, moment(minute));
                        assert_eq!(scheduler.reload(self.terms()), Vec::<String>::new());
                    }
                    Happening::Stop { build } => {
                        if ends.remove(&build).is_some() {
                            scheduler.end(moment(minute), &Self::name(build), End::Stopped);
                        }
                    }
                }
            }
            for name in scheduler.due(moment(minute)) {
                if let Some(order) = scheduler.begin(&name, "request") {
                    let build = name.strip_prefix("build-").unwrap().parse().unwrap();
                    let numbers = order.changes.iter().map(|change| change.summary().parse().unwrap()).collect();
                    begun.push((minute, build, numbers));
                    ends.insert(build, minute + self.0[build].2);
                }
            }
            // Only the minutes in which something can happen are looked at.
            let due = scheduler.next().map(|moment| u32::try_from(moment.as_secs().div_ceil(60)).unwrap());
            let told = history.range(minute + 1..).next().map(|(&minute, _)| minute);
            let next = [due, told, ends.values().min().copied()].into_iter().flatten().min();
            match next.map(|next| next.max(minute + 1)).filter(|&next| next <= end) {
                Some(next) => minute = next,
                None => return begun,
            }
        }
    }

    /// What the model says: a look at every build every minute.
    fn expected(&self, history: &BTreeMap<u32, Vec<Happening>>, end: u32) -> Vec<Begun> {
        type Heads = Vec<Option<usize>>;
        #[derive(Default, Clone)]
        struct Build {
            waits: Option<(u32, Vec<usize>, bool)>,
            works: Option<(u32, Vec<usize>, bool, Heads)>,
            built: Option<Heads>,
        }
        let (mut builds, mut begun, mut number) = (vec![Build::default(); self.0.len()], Vec::new(), 0);
        let mut heads: BTreeMap<usize, usize> = BTreeMap::new();
        for minute in BEGINNING..=end {
            for build in &mut builds {
                if let Some((_, _, _, built)) = build.works.take_if(|(end, ..)| *end <= minute) {
                    build.built = Some(built);
                }
            }
            for happening in history.get(&minute).into_iter().flatten() {
                match *happening {
                    Happening::Change { branch, revision } => {
                        number += 1;
                        if heads.insert(branch, revision) == Some(revision) {
                            continue;
                        }
                        for (build, (_, branches, _)) in builds.iter_mut().zip(&self.0) {
                            if branches.contains(&branch) {
                                let (last, changes, _) = build.waits.get_or_insert_default();
                                *last = minute;
                                changes.push(number - 1);
                            }
                        }
                    }
                    Happening::Force { build } => {
                        builds[build].waits.get_or_insert((minute, Vec::new(), false)).2 = true;
                    }
                    Happening::Restart => {}
                    Happening::Stop { build } => {
                        let build_number = build;
                        let build = &mut builds[build];
                        if let Some((_, mut changes, forced, _)) = build.works.take() {
                            let long_ago = minute - self.0[build_number].0;
                            let (last, more, wanted) = build.waits.take().unwrap_or((long_ago, Vec::new(), false));
                            changes.extend(more);
                            build.waits = Some((last, changes, forced || wanted));
                        }
                    }
                }
            }
            for (index, (quiet, branches, takes)) in self.0.iter().enumerate() {
                let build = &mut builds[index];
                let due = |(last, _, forced): &mut (u32, _, bool)| *forced || *last + quiet <= minute;
                if build.works.is_none()
                    && let Some((_, changes, forced)) = build.waits.take_if(due)
                {
                    let now: Vec<_> = branches.iter().map(|branch| heads.get(branch).copied()).collect();
                    if forced || build.built.as_ref() != Some(&now) {
                        begun.push((minute, index, changes.clone()));
                        build.works = Some((minute + takes, changes, forced, now));
                    }
                }
            }
        }
        begun
    }
}

fn farm() -> impl Strategy<Value = Farm> {
    let build = (0u32..30, prop::collection::btree_set(0usize..4, 1..4), 1u32..60)
        .prop_map(|(quiet, branches, takes)| (quiet, branches.into_iter().collect(), takes));
    prop::collection::vec(build, 1..5).prop_map(Farm)
}

fn happening(builds: usize) -> impl Strategy<Value = Happening> {
    prop_oneof![
        8 => (0usize..5, 0usize..3).prop_map(|(branch, revision)| Happening::Change { branch, revision }),
        1 => (0..builds).prop_map(|build| Happening::Force { build }),
        1 => Just(Happening::Restart),
        1 => (0..builds).prop_map(|build| Happening::Stop { build }),
    ]
}

fn histories() -> impl Strategy<Value = (Farm, BTreeMap<u32, Vec<Happening>>)> {
    farm().prop_flat_map(|farm| {
        let happening = (BEGINNING..BEGINNING + 500, happening(farm.0.len()));
        let history = prop::collection::vec(happening, 0..60).prop_map(|all| {
            let mut history: BTreeMap<u32, Vec<Happening>> = BTreeMap::new();
            for (minute, happening) in all {
                history.entry(minute).or_default().push(happening);
            }
            history
        });
        (Just(farm), history)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn builds_begin_when_the_model_says((farm, history) in histories()) {
        let end = BEGINNING + 800;
        prop_assert_eq!(farm.scheduled(&history, end), farm.expected(&history, end));
    }
}

#[test]
fn a_year_goes_by() {
    // Twenty builds over eight repositories, a change every twenty minutes or so, a restart a day.
    let farm = Farm((0..20).map(|n: u32| (n % 12, vec![n as usize % 8, n as usize * 3 % 8], 3 + n * 7 % 50)).collect());
    let mut history: BTreeMap<u32, Vec<Happening>> = BTreeMap::new();
    let (mut seed, year) = (12345u64, 365 * 24 * 60);
    let mut random = |limit: u32| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as u32 % limit
    };
    for number in 0..year / 20 {
        let happening = match random(72) {
            0 => Happening::Restart,
            1 => Happening::Force { build: random(20) as usize },
            2 => Happening::Stop { build: random(20) as usize },
            _ => Happening::Change { branch: random(8) as usize, revision: number as usize },
        };
        history.entry(BEGINNING + random(year)).or_default().push(happening);
    }
    let end = BEGINNING + year + 100;
    let begun = farm.scheduled(&history, end);
    assert!(begun == farm.expected(&history, end));
    assert!(begun.len() > 10_000, "{}", begun.len());
}
