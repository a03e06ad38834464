//! `buildbot.tac`, by which Buildbot starts a master, and which `buildbot checkconfig` runs. In: the real one. Out: one in the copy that
//! names the same configuration file and does nothing else, and what is wrong with the real one.

use std::fs;
use std::io;
use std::process::Command;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use serde::Deserialize;

use super::call::call;
use super::copy::{Copy, TAC};
use super::finding::Place;
use super::loaded::Refusal;

const PROGRAM: &str = include_str!("python/farmout_tac.py");

/// What the real one says.
#[derive(Debug, Default, Deserialize)]
struct Said {
    configfile: Option<Utf8PathBuf>,
    problem: Option<String>,
    line: Option<usize>,
}

/// Writes the one of the copy, if the directory has any.
pub(super) fn write(copy: &Copy, python: &Utf8Path, limit: Duration) -> io::Result<Option<Refusal>> {
    let tac = copy.real.join(TAC);
    if !tac.exists() {
        return Ok(None);
    }
    let program = copy.other("farmout_tac.py");
    fs::write(&program, PROGRAM)?;
    let mut read = Command::new(python);
    read.args(["-I", "-S"]).arg(&program).arg(&tac);
    // What says nothing that can be understood leaves it at the usual name.
    let said: Said = serde_json::from_slice(&call(read, limit)?.stdout).unwrap_or_default();
    let file = said
        .configfile
        .as_deref()
        .map_or(Utf8Path::new("master.cfg"), |file| file.strip_prefix(&copy.real).unwrap_or(file));
    // A string of JSON is one of Python.
    fs::write(copy.directory.join(TAC), format!("basedir = \".\"\nconfigfile = {}\n", serde_json::to_string(file)?))?;
    let place = |line| Some(Place { file: TAC.to_owned(), line });
    Ok(said.problem.map(|message| Refusal { message, place: place(said.line.unwrap_or(1)) }))
}
