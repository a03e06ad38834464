//! `farmout clean`, and what a run removes by itself: old runs go, and what anybody still needs stays.

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use common::snapshot::snapshot;
use common::{Ran, Runner, Server, Verdict, eventually};
use nix::sys::signal::Signal;
use serde_json::Value;

impl Runs for Verdict {
    fn state_folder(&self) -> PathBuf {
        self.state()
    }
}

/// What a test looks at, and changes, in a state folder.
trait Runs {
    fn state_folder(&self) -> PathBuf;

    /// The names of the runs, oldest first.
    fn runs(&self) -> Vec<String> {
        let names = fs::read_dir(self.state_folder().join("runs")).unwrap();
        let names: BTreeSet<String> = names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.into_iter().collect()
    }

    /// The name of the latest run.
    fn latest_name(&self) -> String {
        let latest = fs::read_link(self.state_folder().join("latest")).unwrap();
        latest.file_name().unwrap().to_str().unwrap().to_owned()
    }

    /// Gives a run a name, and with it an age.
    fn rename(&self, run: &str, name: &str) {
        let runs = self.state_folder().join("runs");
        fs::rename(runs.join(run), runs.join(name)).unwrap();
        let history = self.state_folder().join("history.jsonl");
        let text = fs::read_to_string(&history).unwrap();
        fs::write(history, text.replace(run, name)).unwrap();
    }
}

/// Five runs of the years 2001 to 2004 and of today: in the second one `two` failed, and never again.
fn five() -> Verdict {
    let farm = Verdict::new("");
    for year in 2001..2006 {
        farm.ends(0, i32::from(year == 2002));
        farm.build().exits(i32::from(year == 2002));
        if year < 2005 {
            let run = farm.runs().pop().unwrap();
            farm.rename(&run, &format!("{year}0101-000000-aaaa"));
        }
    }
    assert_eq!(farm.runs().len(), 5);
    farm
}

fn old(farm: &Verdict) -> Vec<String> {
    farm.runs().into_iter().filter(|run| run.starts_with("200")).map(|run| run[..4].to_owned()).collect()
}

fn shown(ran: &Ran) -> String {
    let size = regex::Regex::new(r" *[\d.]+ (KiB|MiB|B)").unwrap();
    let run = regex::Regex::new(r"20[2-9]\d{5}-\d{6}-\w{4}").unwrap();
    run.replace_all(&size.replace_all(&ran.out, " [SIZE]"), "[TODAY]").into_owned()
}

#[test]
fn what_is_beyond_a_limit_goes() {
    let farm = five();
    let rehearsed = farm.run(&["clean", "--keep", "2", "--dry-run"]).exits(0);
    assert_eq!(old(&farm), ["2001", "2002", "2003", "2004"]);
    let cleaned = farm.run(&["clean", "--keep", "2"]).exits(0);
    assert_eq!(old(&farm), ["2002", "2004"]);
    let all = farm.run(&["clean", "--older-than", "1d", "--failures"]).exits(0);
    assert_eq!(old(&farm), [""; 0]);
    let none = farm.run(&["clean", "--max-size", "0"]).exits(0);
    assert_eq!(farm.runs().len(), 1, "the latest one stays");
    let shown = [rehearsed, cleaned, all, none].iter().map(shown).collect::<Vec<_>>().join("---\n");
    snapshot!("clean-text", shown);
    assert_eq!(fs::read_dir(farm.state().join("trash")).unwrap().count(), 0);
    farm.build().exits(0);
}

#[test]
fn a_program_is_told_what_went() {
    let farm = five();
    let ran = farm.run(&["clean", "--keep", "1", "--caches", "--databases", "--format", "json"]).exits(0);
    let done: Value = serde_json::from_str(&ran.out).unwrap();
    let runs = |list: &Value| -> Vec<String> {
        list.as_array().unwrap().iter().map(|run| run["run"].as_str().unwrap()[..4].to_owned()).collect()
    };
    assert_eq!(runs(&done["runs"]["removed"]), ["2001", "2003", "2004"]);
    assert_eq!(runs(&done["runs"]["spared"]), ["2002"]);
    assert_eq!((&done["dry-run"], &done["runs"]["kept"]), (&Value::from(false), &Value::from(2)));
    let caches = done["caches"].as_array().unwrap();
    assert_eq!(caches.len(), 1);
    assert!(!Path::new(caches[0]["path"].as_str().unwrap()).exists());
    let removed = done["runs"]["removed"].as_array().unwrap().iter().chain(caches);
    let sizes: u64 = removed.map(|removed| removed["size"].as_u64().unwrap()).sum();
    assert_eq!(done["freed"], sizes);
    assert_eq!(done["databases"], Value::Array(Vec::new()));
    farm.build().exits(0);
}

#[test]
fn a_run_removes_what_the_farm_does_not_keep() {
    let farm = five();
    let yaml = fs::read_to_string(farm.root.join("farm.yaml")).unwrap();
    farm.write("farm.yaml", &format!("{yaml}keep: {{runs: 4, days: 9000, size: 1 GiB}}\n"));
    farm.build().exits(0).says("1 run removed");
    assert_eq!(old(&farm), ["2002", "2003", "2004"]);
    // What the call says counts alone.
    farm.run(&["clean", "--max-size", "5GB"]).exits(0).says("nothing to remove");
    farm.edit("farm.yaml", "runs: 4", "runs: 2");
    farm.run(&["clean"]).exits(0).says("2 runs removed");
    assert_eq!(old(&farm), ["2002"]);
}

#[test]
fn its_help() {
    snapshot!("clean-help", Verdict::new("").run(&["clean", "--help"]).exits(0).out);
}

#[test]
fn wrong_use() {
    let farm = Verdict::new("");
    let said = [&["clean"][..], &["clean", "--max-size", "ten"], &["clean", "--older-than", "30"]];
    let said: String = said.iter().map(|arguments| farm.run(arguments).exits(2).err + "---\n").collect();
    snapshot!("clean-misuse", said);
    assert!(!farm.state().exists());
    farm.run(&["clean", "--keep", "1", "--caches", "--databases"]).exits(0);
    assert!(!farm.state().exists(), "there is nothing to clean, and nothing is made");
}

/// A run at work stays, with a record of a builder and, in between, without.
#[test]
fn a_run_at_work_stays() {
    let farm = five();
    farm.does("one", &format!("while ! test -e {}/go; do sleep 0.1; done", farm.directory.path().display()));
    let runner = Runner::start(farm.farmout(&["run", "--only", "verdict", "one"]));
    eventually("the builder is at work", || farm.records().len() == 1);
    let at_work = farm.latest_name();
    farm.run(&["run", "--only", "verdict", "two"]).exits(0);
    let clean = ["clean", "--max-size", "0", "--failures", "--caches"];
    let ran = farm.run(&clean).exits(1);
    assert!(ran.out.contains(&format!("{at_work}  kept")), "{}", ran.out);
    assert!(ran.out.contains("buildout-caches  kept"), "{}", ran.out);
    assert_eq!(farm.runs().len(), 2);
    let record = record(&farm);
    let aside = farm.directory.path().join("record");
    fs::rename(&record, &aside).unwrap();
    farm.run(&["clean", "--max-size", "0"]).exits(0).says("it is at work");
    fs::copy(&aside, &record).unwrap();
    fs::write(farm.directory.path().join("go"), "").unwrap();
    runner.wait().exits(0);
    farm.run(&["clean", "--max-size", "0"]).exits(0).says("1 run removed");
}

/// The file of the only builder that is on record as at work.
fn record(farm: &Verdict) -> PathBuf {
    let entries = fs::read_dir(farm.state().join("active")).unwrap().map(|entry| entry.unwrap().path());
    let mut records = entries.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    records.next().expect("no builder is at work")
}

/// A run that is still to be cleaned up stays, and so do all where a record cannot be read.
#[test]
fn a_run_to_recover_stays() {
    let farm = five();
    farm.does("one", "sleep 600");
    let runner = Runner::start(farm.farmout(&["run", "--only", "verdict", "one"]));
    eventually("the builder is at work", || farm.records().len() == 1);
    let killed = farm.latest_name();
    runner.signal(Signal::SIGKILL);
    runner.wait();
    farm.rename(&killed, "20010101-000000-dead");
    let record = record(&farm);
    let text = fs::read_to_string(&record).unwrap().replace(&killed, "20010101-000000-dead");
    fs::write(&record, "{").unwrap();
    farm.run(&["clean", "--keep", "1", "--failures"]).exits(0).says("nothing to remove").says("cannot be read");
    fs::write(&record, text).unwrap();
    farm.run(&["clean", "--keep", "1", "--failures"]).exits(0).says("still to be cleaned up");
    assert_eq!(old(&farm), ["2001"]);
    farm.does("one", "exit 0");
    farm.build().exits(0).says("cleaning up one of run 20010101-000000-dead");
    farm.run(&["clean", "--keep", "1"]).exits(0);
    assert_eq!(old(&farm), [""; 0]);
}

/// Whoever kills it in the middle leaves whole runs or none, and the next one ends what it began.
#[test]
fn killed_in_the_middle() {
    let farm = five();
    let run = farm.state().join("runs/20010101-000000-aaaa");
    for number in 0..20_000 {
        fs::write(run.join(number.to_string()), "").unwrap();
    }
    let trash = farm.state().join("trash");
    let clean = Runner::start(farm.farmout(&["clean", "--keep", "1"]));
    eventually("a run is moved away", || fs::read_dir(&trash).is_ok_and(|entries| entries.count() > 0));
    clean.signal(Signal::SIGKILL);
    clean.wait();
    assert_eq!(fs::read_dir(&trash).unwrap().count(), 1, "it was faster than the signal");
    assert_eq!(old(&farm), ["2002", "2003", "2004"]);
    farm.run(&["clean", "--keep", "5"]).exits(0).says("leftovers removed");
    assert_eq!(fs::read_dir(&trash).unwrap().count(), 0);
}

/// What is not farmout's stays: behind links, and beside runs.
#[test]
fn links_are_not_followed() {
    let farm = five();
    let precious = farm.directory.path().join("precious");
    fs::create_dir(&precious).unwrap();
    fs::write(precious.join("file"), "x").unwrap();
    let runs = farm.state().join("runs");
    std::os::unix::fs::symlink(&precious, runs.join("20010101-000000-link")).unwrap();
    std::os::unix::fs::symlink(&precious, runs.join("20010101-000000-aaaa/link")).unwrap();
    fs::create_dir(runs.join("notes")).unwrap();
    let base = fs::canonicalize(farm.slave_file("here")).unwrap();
    fs::remove_dir_all(base.join("buildout-caches")).unwrap();
    std::os::unix::fs::symlink(&precious, base.join("buildout-caches")).unwrap();
    farm.run(&["clean", "--keep", "1", "--failures", "--caches"]).exits(1).says("it is a link, which is not followed");
    assert!(precious.join("file").exists() && runs.join("notes").exists());
    assert_eq!(old(&farm), ["2001"], "the link");
}

/// The history keeps what is needed of each builder, whatever its age, and loses nothing that is added meanwhile.
#[test]
fn the_history_is_shortened() {
    let farm = Verdict::new("");
    farm.build().exits(0);
    let history = farm.state().join("history.jsonl");
    let line = |run: usize, outcome: &str| {
        format!(
            "{{\"run\":\"r{run}\",\"builder\":\"b\",\"outcome\":\"{outcome}\",\"ended\":\"2001-01-01T00:00:00Z\",\"seconds\":1}}\n"
        )
    };
    let before = fs::read_to_string(&history).unwrap();
    let lines: String =
        (0..100).map(|run| line(run, if run % 20 == 1 && run < 40 { "failure" } else { "success" })).collect();
    fs::write(&history, format!("{before}no line\n{lines}")).unwrap();
    let ran = farm.run(&["clean", "--keep", "9", "--format", "json"]).exits(0);
    let done: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(done["runs"]["forgotten"], 50);
    let after = fs::read_to_string(&history).unwrap();
    let kept: Vec<String> = (50..100).map(|run| line(run, "success")).collect();
    assert_eq!(after, format!("{before}{}{}", line(21, "failure"), kept.concat()));
    farm.build().exits(0);
    assert_eq!(fs::read_to_string(&history).unwrap().lines().count(), after.lines().count() + 2);
}

/// A database that was kept to be looked at goes on request, without a run of its builder.
#[test]
fn kept_databases_are_removed() {
    let server = Server::trusting();
    let farm = Verdict::new("");
    farm.edit("buildouts/MANIFEST.cfg", "db-steps =", "db-steps = simple_create");
    let capability = format!("{} user={}", server.capability(), server.user);
    farm.edit("slaves.cfg", "postgresql 15 passwd=hunter2hunter2", &capability);
    farm.run(&["run", "--only", "create-database", "--keep-db", "one"]).exits(0).says("kept");
    assert_eq!(server.databases().lines().count(), 1);
    farm.run(&["clean", "--databases", "--dry-run"]).exits(0).says("database of one").says("would go");
    assert_eq!(server.databases().lines().count(), 1);
    farm.run(&["clean", "--databases"]).exits(0).says("database of one").says("removed");
    assert_eq!(server.databases(), "");
    assert!(farm.records().is_empty());
    farm.run(&["clean", "--databases"]).exits(0).says("no database is kept");
}
