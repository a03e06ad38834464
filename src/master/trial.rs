//! Trying a master's configuration. In: a Buildbot and a copy of the directory. Out: what the programs in `python/` write, which
//! that Buildbot's Python runs.

use std::fs::{self, File};
use std::io;
use std::process::{Command, Output, Stdio};
use std::thread;

use camino::Utf8Path;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::copy::Copy;
use super::loaded::{Loaded, LoadedPlan, Pair};
use super::program::Buildbot;
use crate::plan::AT_RUN_TIME;

/// The programs, the first of which is started.
const PROGRAMS: [(&str, &str); 3] = [
    ("farmout_inspect.py", include_str!("python/farmout_inspect.py")),
    ("farmout_rules.py", include_str!("python/farmout_rules.py")),
    ("farmout_steps.py", include_str!("python/farmout_steps.py")),
];

/// What came of loading.
pub(super) struct Loading {
    /// The configuration, or why it could not be looked at.
    pub(super) loaded: Result<Loaded, String>,
    /// What `buildbot checkconfig` said, if it did not like it.
    pub(super) checkconfig: Option<String>,
}

/// Has Buildbot load the configuration, and beside that check it by itself; with pairs, to learn of these alone.
pub(super) fn load(buildbot: &Buildbot, copy: &Copy, pairs: Option<&[Pair]>) -> io::Result<Loading> {
    let mut checkconfig = command(&buildbot.program, copy);
    checkconfig.arg("checkconfig").arg(&copy.directory);
    let (loaded, checked) = thread::scope(|scope| {
        let checking = scope.spawn(|| if pairs.is_none() { checkconfig.output().map(Some) } else { Ok(None) });
        let loaded = ask(buildbot, copy, &json!({ "later": AT_RUN_TIME, "pairs": pairs, "plain": false }));
        (loaded, checking.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    });
    let checkconfig = checked?.filter(|checked| !checked.status.success());
    let said = |checked: Output| said(copy, &checked.stderr) + &said(copy, &checked.stdout);
    Ok(Loading { loaded: loaded?, checkconfig: checkconfig.map(said) })
}

/// What farm.py makes of these pairs by itself, whatever the configuration does with it.
pub(super) fn plain(buildbot: &Buildbot, copy: &Copy, pairs: &[Pair]) -> io::Result<Result<Vec<LoadedPlan>, String>> {
    #[derive(Deserialize)]
    struct Plain {
        plans: Vec<LoadedPlan>,
    }
    let plain: Result<Plain, String> =
        ask(buildbot, copy, &json!({ "later": AT_RUN_TIME, "pairs": pairs, "plain": true }))?;
    Ok(plain.map(|plain| plain.plans))
}

/// Has Buildbot's Python answer a request.
fn ask<T: DeserializeOwned>(buildbot: &Buildbot, copy: &Copy, request: &Value) -> io::Result<Result<T, String>> {
    let programs = copy.other("programs");
    fs::create_dir_all(&programs)?;
    for (name, text) in PROGRAMS {
        fs::write(programs.join(name), text)?;
    }
    let (asked, result) = (copy.other("request.json"), copy.other("result.json"));
    serde_json::to_writer(File::create(&asked)?, request)?;
    let mut inspect = command(&buildbot.python, copy);
    inspect.arg(programs.join(PROGRAMS[0].0)).arg(&copy.directory).arg(&asked).arg(&result);
    let output = inspect.output()?;
    Ok(match fs::read(&result) {
        Ok(text) if output.status.success() => {
            serde_json::from_str(&said(copy, &text)).map_err(|error| error.to_string())
        }
        _ => {
            let stderr = said(copy, &output.stderr);
            let last = stderr.lines().rev().find(|line| !line.trim().is_empty());
            Err(last.map_or_else(|| output.status.to_string(), ToOwned::to_owned))
        }
    })
}

/// A program that runs the configuration, in the copy.
fn command(program: &Utf8Path, copy: &Copy) -> Command {
    let mut command = Command::new(program);
    command.current_dir(&copy.directory).stdin(Stdio::null()).env("PYTHONDONTWRITEBYTECODE", "1");
    // The same words every time, whatever order a set has.
    command.env("PYTHONHASHSEED", "0");
    command
}

fn said(copy: &Copy, stream: &[u8]) -> String {
    copy.real(&String::from_utf8_lossy(stream))
}
