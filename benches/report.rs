//! Makes the page of a run, and times it:
//!
//! ```text
//! cargo bench --bench report -- FOLDER PAGE [TIMES]
//! ```
//!
//! Where the folder has no run, one of 200 builders with 30 steps and 50 MB of logs is made in it, by rule: the same bytes
//! each time.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use camino::Utf8Path;
use farmout::report::html::write_run;
use farmout::runner::{history, read};
use nix::sys::resource::{UsageWho, getrusage};
use serde_json::{Value, json};

const BUILDERS: usize = 200;
const STEPS: usize = 30;
const BYTES: usize = 50_000_000;
const VERSIONS: [&str; 8] = ["10", "11", "12", "13", "14", "15", "16", "17"];
const EARLIER: usize = 20;

fn main() -> ExitCode {
    // cargo adds `--bench`.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let (folder, page, times) = match arguments.as_slice() {
        [folder, page] => (folder, page, Some(5)),
        [folder, page, times] => (folder, page, times.parse().ok()),
        // Among the other benches there is nothing to do.
        _ => return ExitCode::SUCCESS,
    };
    let Some(times) = times else {
        eprintln!("TIMES is a number");
        return ExitCode::from(2);
    };
    match bench(Utf8Path::new(folder), page, times) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{folder}, {page}: {error}");
            ExitCode::from(2)
        }
    }
}

fn bench(folder: &Utf8Path, page: &str, times: usize) -> io::Result<()> {
    // A run of farmout's has a journal, one that was made here a result alone.
    let result = if folder.join("events.jsonl").exists() {
        read(folder).map_err(io::Error::other)?
    } else {
        if !folder.join("result.json").exists() {
            make(folder)?;
        }
        serde_json::from_slice(&fs::read(folder.join("result.json"))?)?
    };
    let past = history(folder)?;
    let mut best = Duration::MAX;
    let processor =
        || getrusage(UsageWho::RUSAGE_SELF).map(|usage| (usage.user_time() + usage.system_time(), usage.max_rss()));
    for _ in 0..times.max(1) {
        let (before, began) = (processor()?, Instant::now());
        let mut out = BufWriter::new(File::create(page)?);
        write_run(&result, &past, &mut out)?;
        let (wall, after) = (began.elapsed(), processor()?);
        println!("{:.3} s, {} of the processors, {} MB held", wall.as_secs_f64(), after.0 - before.0, after.1 / 1024);
        best = best.min(wall);
    }
    println!("best {:.3} s for a page of {} bytes", best.as_secs_f64(), fs::metadata(page)?.len());
    Ok(())
}

/// A number that looks like chance, always the same for the same one.
fn chance(number: usize) -> usize {
    let mixed = (number as u64).wrapping_add(0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    usize::try_from((mixed ^ (mixed >> 29)).wrapping_mul(0x94d0_49bb_1331_11eb) >> 33).unwrap_or(0)
}

/// Writes the folder of a run, and into it the history of earlier ones, which is a state folder's otherwise.
fn make(folder: &Utf8Path) -> io::Result<()> {
    let builders: Vec<Value> = (0..BUILDERS).map(|number| builder(folder, number)).collect::<io::Result<_>>()?;
    let result = json!({
        "run": "20261121-181500-k3f9", "folder": folder, "slave": "atlas", "jobs": 40, "outcome": "failure",
        "started": "2026-11-21T18:15:00Z", "seconds": 3900.0, "builders": builders,
    });
    fs::write(folder.join("result.json"), serde_json::to_vec(&result)?)?;
    let mut out = BufWriter::new(File::create(folder.join("history.jsonl"))?);
    for (run, number) in (0..EARLIER).flat_map(|run| (0..BUILDERS).map(move |number| (run, number))) {
        let outcome = if chance(run * 7919 + number).is_multiple_of(9) { "failure" } else { "success" };
        let ended = json!({
            "run": format!("202611{:02}-181500-k3f9", run + 1), "builder": name(number), "outcome": outcome,
            "ended": format!("2026-11-{:02}T19:00:00Z", run + 1), "seconds": 200 + chance(number + run) % 400,
        });
        writeln!(out, "{ended}")?;
    }
    out.flush()
}

fn name(number: usize) -> String {
    format!("project-{:02}-pg{}", number / VERSIONS.len(), VERSIONS[number % VERSIONS.len()])
}

fn builder(run: &Utf8Path, number: usize) -> io::Result<Value> {
    const PHASES: [&str; 8] =
        ["prepare", "fetch", "post-dl", "bootstrap", "buildout", "db", "post-buildout", "clean-up"];
    let folder = run.join(name(number));
    fs::create_dir_all(&folder)?;
    let version = VERSIONS[number % VERSIONS.len()];
    let plan = format!("properties: {{pg_version: '{version}', py_version: '3.11'}}\n");
    fs::write(folder.join("plan.yaml"), plan)?;
    let fails = chance(number).is_multiple_of(11);
    // The run began at a quarter past six.
    let mut second = 900 + chance(number * 3) % 3000;
    let began = second;
    let mut steps = Vec::new();
    for step in 0..STEPS {
        let seconds = chance(number * STEPS + step) % if step == 20 { 300 } else { 20 };
        let waits = if step == 9 { 12 } else { 0 };
        second += waits;
        let failed = fails && step == 21;
        let log = format!("{:02}-step-{step}.log", step + 1);
        let share = BYTES / BUILDERS;
        // A test has most to say.
        log_of(
            &folder.join(&log),
            number * STEPS + step,
            if step == 20 { share / 2 } else { share / 2 / (STEPS - 1) },
        )?;
        steps.push(json!({
            "name": if step == 21 { "analyze-test-log".to_owned() } else { format!("step-{step}") },
            "phase": PHASES[step * PHASES.len() / STEPS], "outcome": if failed { "failure" } else { "success" },
            "started": format!("2026-11-{:02}T{:02}:{:02}:{:02}Z", EARLIER + 1, 18 + second / 3600, second / 60 % 60, second % 60),
            "seconds": seconds, "at": second - 900, "waited": waits, "exit": i32::from(failed),
            "command": ["/srv/farm/bin/start_openerp", "--stop-after-init", "--log-level=test", "-d", name(number)],
            "directory": format!("/srv/farm/slaves/atlas/{}/build", name(number)), "log": log,
        }));
        second += seconds;
    }
    Ok(json!({
        "builder": name(number), "build": format!("project-{:02}", number / VERSIONS.len()), "directory": name(number),
        "outcome": if fails { "failure" } else { "success" },
        "reason": fails.then_some("analyze-test-log: 3 findings"), "seconds": second - began, "steps": steps,
    }))
}

/// A server's log in the forms of real ones: times, modules, queries, tests, now and then a traceback.
fn log_of(path: &Utf8Path, seed: usize, bytes: usize) -> io::Result<()> {
    const MODULES: [&str; 9] =
        ["sale", "crm", "stock", "account", "purchase", "project", "mrp", "hr_holidays", "point_of_sale"];
    let (mut out, mut written, mut line) = (BufWriter::new(File::create(path)?), 0, seed * 1000);
    while written < bytes {
        let (number, module) = (chance(line), MODULES[chance(line + 7) % MODULES.len()]);
        let time =
            format!("2026-11-21 18:{:02}:{:02},{:03} {}", line / 60 % 60, line % 60, number % 1000, 4000 + seed % 999);
        let text = match number % 40 {
            0 => format!(
                "{time} ERROR openerp-{seed} openerp.sql_db: bad query: SELECT id FROM {module}_line WHERE order_id IN ({number})\nTraceback (most recent call last):\n  File \"/srv/farm/parts/odoo/openerp/sql_db.py\", line {}, in execute\n    res = self._obj.execute(query, params)\nProgrammingError: relation \"{module}_line\" does not exist\n",
                number % 900
            ),
            1..=9 => format!(
                "{time} INFO openerp-{seed} openerp.modules.loading: loading {module}/view/{module}_{number}_view.xml\n"
            ),
            10..=20 => format!(
                "{time} DEBUG openerp-{seed} openerp.addons.base.ir.ir_model: constraint {module}_{} on {:x} updated in {} ms\n",
                number % 77,
                number,
                number % 50
            ),
            21..=30 => format!(
                "{time} INFO openerp-{seed} openerp.tools.yaml_import: \x1b[32mtest\x1b[0m {module}.test_{number:x} ... ok\n"
            ),
            _ => format!(
                "{time} INFO openerp-{seed} openerp.modules.graph: module {module}: {} of {} objects, hash {:08x}{:08x}\n",
                number % 100,
                number % 1000,
                number,
                chance(number)
            ),
        };
        out.write_all(text.as_bytes())?;
        written += text.len();
        line += 1;
    }
    out.flush()
}
