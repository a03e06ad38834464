//! Trying a master's configuration. In: a Buildbot and a copy of the directory. Out: what the programs in `python/` write, which
//! that Buildbot's Python runs.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::process::Command;
use std::thread;
use std::time::Duration;

use camino::Utf8Path;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::call::{Answer, call};
use super::copy::{Copy, SECRETS};
use super::loaded::{Keepers, Loaded, LoadedPlan, Pair, Refusal};
use super::program::Buildbot;
use super::tac;
use crate::diagnostic::{Failure, plain};
use crate::plan::AT_RUN_TIME;
use crate::report::duration;

/// The programs, the first of which is started.
const PROGRAMS: [(&str, &str); 7] = [
    ("farmout_inspect.py", include_str!("python/farmout_inspect.py")),
    ("farmout_changes.py", include_str!("python/farmout_changes.py")),
    ("farmout_files.py", include_str!("python/farmout_files.py")),
    ("farmout_parts.py", include_str!("python/farmout_parts.py")),
    ("farmout_properties.py", include_str!("python/farmout_properties.py")),
    ("farmout_rules.py", include_str!("python/farmout_rules.py")),
    ("farmout_steps.py", include_str!("python/farmout_steps.py")),
];

/// The programs say themselves where the configuration hangs, if they can. If not, they are ended after so much more.
const GRACE: Duration = Duration::from_secs(5);

/// A Buildbot, and a copy of the directory that it tries.
pub(super) struct Trial {
    pub(super) buildbot: Buildbot,
    copy: Copy,
    limit: Duration,
    /// Whether the copy has the master's secrets.
    pub(super) secrets: bool,
}

/// What came of loading.
pub(super) struct Loading {
    /// The configuration, or why it could not be looked at.
    pub(super) loaded: Result<Loaded, String>,
    /// What `buildbot checkconfig` said, if it did not like it.
    pub(super) checkconfig: Option<String>,
    /// What is wrong with `buildbot.tac`.
    pub(super) tac: Option<Refusal>,
}

impl Trial {
    /// Makes the copy. Instead of secrets that are left out it has files by these names, so that Buildbot has something to find.
    pub(super) fn new(
        buildbot: Buildbot,
        master: &Utf8Path,
        limit: Duration,
        left_out: Option<&[String]>,
    ) -> Result<Self, Failure> {
        let copy = Copy::new(master, left_out.is_none())?;
        let trial = Self { buildbot, copy, limit, secrets: left_out.is_none() };
        if let Some(names) = left_out {
            trial.stubs(names).map_err(|error| trial.failed(&error))?;
        }
        Ok(trial)
    }

    fn stubs(&self, names: &[String]) -> io::Result<()> {
        let folder = self.copy.directory.join(SECRETS);
        fs::DirBuilder::new().mode(0o700).create(&folder)?;
        let create = |name| File::options().write(true).create_new(true).mode(0o600).open(folder.join(name));
        names.iter().try_for_each(|name| create(name).map(drop))
    }

    /// Has Buildbot load the configuration, and beside that check it by itself; with pairs, to learn of these alone.
    pub(super) fn load(&self, pairs: Option<&[Pair]>) -> Result<Loading, Failure> {
        self.try_to_load(pairs).map_err(|error| self.failed(&error))
    }

    fn try_to_load(&self, pairs: Option<&[Pair]>) -> io::Result<Loading> {
        let tac = tac::write(&self.copy, &self.buildbot.python, self.limit)?;
        let mut checkconfig = self.command(&self.buildbot.program);
        checkconfig.arg("checkconfig").arg(&self.copy.directory);
        let (loaded, checked) = thread::scope(|scope| {
            let checking =
                scope.spawn(|| if pairs.is_none() { call(checkconfig, self.limit).map(Some) } else { Ok(None) });
            let loaded = self.ask::<Loaded>(pairs, false);
            (loaded, checking.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        });
        let loaded = loaded?;
        // Where secrets are left out it misses them if they are kept elsewhere.
        let counts = self.secrets
            || loaded.as_ref().is_ok_and(|loaded| loaded.keepers.as_ref().is_some_and(Keepers::are_all_there));
        let checkconfig = checked?.filter(|_| counts).and_then(|answer| self.objection(&answer));
        Ok(Loading { loaded, checkconfig, tac })
    }

    /// What `buildbot checkconfig` has against the configuration.
    fn objection(&self, answer: &Answer) -> Option<String> {
        match answer.status {
            None => Some(self.late()),
            Some(status) if status.success() => None,
            Some(_) => Some(self.said(&answer.stderr) + &self.said(&answer.stdout)),
        }
    }

    /// What farm.py makes of builders on workers by itself, whatever the configuration does with it.
    pub(super) fn plain(&self, pairs: &[Pair]) -> Result<Vec<LoadedPlan>, Failure> {
        #[derive(Deserialize)]
        struct Plain {
            plans: Vec<LoadedPlan>,
        }
        let plain = self.ask::<Plain>(Some(pairs), true).map_err(|error| self.failed(&error))?;
        plain.map(|plain| plain.plans).map_err(|why| Failure::error(self.cannot_load(&why)))
    }

    /// Has Buildbot's Python answer a question.
    fn ask<T: DeserializeOwned>(&self, pairs: Option<&[Pair]>, plain: bool) -> io::Result<Result<T, String>> {
        let copy = &self.copy;
        let programs = copy.other("programs");
        fs::create_dir_all(&programs)?;
        for (name, text) in PROGRAMS {
            fs::write(programs.join(name), text)?;
        }
        let (asked, result) = (copy.other("request.json"), copy.other("result.json"));
        let request = json!({
            "later": AT_RUN_TIME,
            "pairs": pairs,
            "plain": plain,
            "real": copy.real,
            "limit": self.limit.as_secs_f64(),
            "limit_is": duration(self.limit),
            "secrets": self.secrets,
        });
        serde_json::to_writer(File::create(&asked)?, &request)?;
        let mut inspect = self.command(&self.buildbot.python);
        inspect.arg(programs.join(PROGRAMS[0].0)).arg(&copy.directory).arg(&asked).arg(&result);
        let answer = call(inspect, self.limit + GRACE)?;
        let Some(status) = answer.status else { return Ok(Err(self.late())) };
        Ok(match fs::read(&result) {
            Ok(text) if status.success() => {
                let read = serde_json::from_slice(&text).map(|value| self.in_place(value));
                read.and_then(serde_json::from_value).map_err(|error| error.to_string())
            }
            _ => {
                let stderr = self.said(&answer.stderr);
                let last = stderr.lines().rev().find(|line| !line.trim().is_empty());
                Err(last.map_or_else(|| format!("it ended before it was through ({status})"), ToOwned::to_owned))
            }
        })
    }

    fn late(&self) -> String {
        format!(
            "it was not through after {} (--timeout), and was ended: look in master.cfg for what waits",
            duration(self.limit)
        )
    }

    /// A program that runs the configuration, in the copy.
    fn command(&self, program: &Utf8Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.copy.directory).env("PYTHONDONTWRITEBYTECODE", "1");
        // The same words every time, whatever order a set has.
        command.env("PYTHONHASHSEED", "0");
        command
    }

    fn said(&self, stream: &[u8]) -> String {
        self.copy.real(&String::from_utf8_lossy(stream))
    }

    /// A value whose texts have the master's directory in them instead of the copy.
    fn in_place(&self, value: Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.copy.real(&text)),
            Value::Array(values) => values.into_iter().map(|value| self.in_place(value)).collect(),
            Value::Object(values) => {
                values.into_iter().map(|(name, value)| (self.copy.real(&name), self.in_place(value))).collect()
            }
            other => other,
        }
    }

    fn failed(&self, error: &io::Error) -> Failure {
        Failure::misuse(format!("{} cannot be run: {}", self.buildbot.program, plain(&error.to_string())))
    }

    /// The words for what came of [`Loading::loaded`] or the like.
    pub(super) fn cannot_load(&self, why: &str) -> String {
        format!("{} cannot load the configuration: {why}", self.buildbot.python)
    }
}
