//! Writes a server's log by rule, and times `farmout tool analyze-log` on it against `grep -E`, side by side:
//!
//! ```text
//! cargo bench --bench log -- MEGABYTES FILE [TIMES]
//! ```

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;

/// What the built-in rules look for, as far as lines go: grep knows no levels, blocks and missing lines.
const PATTERNS: [&str; 13] = [
    "invalid module names, ignored:",
    ": Some modules (are not loaded|have inconsistent states)",
    "Failed to initialize database",
    ": Failed to load",
    " (ERROR|CRITICAL) ",
    "(FAIL|ERROR): [^ ]",
    "(tests|yaml_import).*AssertionError",
    "[Aa]ssertion \".*\" (FAILED|failed!)",
    "an exception occurred in a test",
    "([1-9][0-9]* failed, [0-9]+|[0-9]+ failed, [1-9][0-9]*) error\\(s\\) of [0-9]+ tests",
    "at least one error occurred in a test|At least one test failed when loading the modules|Tests failed to execute",
    "Traceback \\(most recent call last\\):",
    ": Modules loaded\\.",
];

fn main() -> ExitCode {
    // cargo adds `--bench`.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let (megabytes, path, times) = match arguments.as_slice() {
        [megabytes, path] => (megabytes, path, "5"),
        [megabytes, path, times] => (megabytes, path, times.as_str()),
        // Among the other benches there is nothing to do.
        _ => return ExitCode::SUCCESS,
    };
    let (Ok(megabytes), Ok(times)) = (megabytes.parse::<u64>(), times.parse::<usize>()) else {
        eprintln!("MEGABYTES and TIMES are numbers");
        return ExitCode::from(2);
    };
    match write(Path::new(path), megabytes * 1_000_000).and_then(|()| compare(path, times)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{path}: {error}");
            ExitCode::from(2)
        }
    }
}

/// Runs all of them in turn, so that whatever else the machine does meets each, and prints the run that took the least
/// processor time.
fn compare(path: &str, times: usize) -> io::Result<()> {
    let mut farmout = Command::new(env!("CARGO_BIN_EXE_farmout"));
    farmout.args(["tool", "analyze-log", path]);
    let grep = |locale: &str| {
        let mut grep = Command::new("grep");
        grep.env("LC_ALL", locale).arg("-nE").args(PATTERNS.iter().flat_map(|pattern| ["-e", pattern])).arg(path);
        grep
    };
    let mut commands =
        [("farmout tool analyze-log", farmout), ("LC_ALL=C grep -nE", grep("C")), ("grep -nE, UTF-8", grep("C.UTF-8"))];
    let mut best = [Taken { processor: Duration::MAX, wall: Duration::MAX }; 3];
    for _ in 0..times.max(1) {
        for ((_, command), best) in commands.iter_mut().zip(&mut best) {
            let taken = time(command)?;
            *best = if taken.processor < best.processor { taken } else { *best };
        }
    }
    let size = std::fs::metadata(path)?.len() as f64;
    for ((name, _), taken) in commands.iter().zip(&best) {
        println!(
            "{name:25} processor {:.3} s, {:5.0} MB/s, {:5.2} times ours; wall {:.3} s",
            taken.processor.as_secs_f64(),
            size / 1e6 / taken.processor.as_secs_f64(),
            taken.processor.as_secs_f64() / best[0].processor.as_secs_f64(),
            taken.wall.as_secs_f64(),
        );
    }
    Ok(())
}

#[derive(Clone, Copy)]
struct Taken {
    /// In the program and, for it, in the kernel.
    processor: Duration,
    wall: Duration,
}

/// Runs it with its output read and dropped: into `/dev/null` grep would stop at its first line.
fn time(command: &mut Command) -> io::Result<Taken> {
    let used = || -> io::Result<Duration> {
        let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
        let microseconds = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
        Ok(Duration::from_micros(microseconds.unsigned_abs()))
    };
    let (start, before) = (Instant::now(), used()?);
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    if let Some(mut output) = child.stdout.take() {
        io::copy(&mut output, &mut io::sink())?;
    }
    let status = child.wait()?;
    // Both exit 1 for what is no failure here, and 2 for what is one.
    if status.code().is_none_or(|code| code > 1) {
        return Err(io::Error::other(format!("{status}: {command:?}")));
    }
    Ok(Taken { processor: used()? - before, wall: start.elapsed() })
}

/// Numbers that look like chance, and are the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) % limit
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len() as u64) as usize]
    }
}

const MODULES: [&str; 12] = [
    "base",
    "web",
    "mail",
    "crm",
    "sale",
    "sale_stock",
    "purchase",
    "account",
    "stock",
    "hr_holidays",
    "project_timesheet",
    "l10n_fr",
];
const FILES: [&str; 8] = [
    "security/ir.model.access.csv",
    "views/order_views.xml",
    "data/mail_template.xml",
    "wizard/make_invoice_views.xml",
    "report/order_report.xml",
    "demo/partner_demo.xml",
    "i18n/fr.po",
    "test/process_order.yml",
];
const WORDS: [&str; 14] = [
    "order",
    "partner",
    "invoice",
    "line",
    "confirmed",
    "état",
    "the",
    "of",
    "is",
    "with",
    "computed",
    "journal",
    "Ünit",
    "price",
];

/// The mixture that the logs of real servers have: mostly loading and test lines, now and then a warning with several lines
/// or a traceback that is expected, rarely an error.
fn write(path: &Path, size: u64) -> io::Result<()> {
    let mut log = BufWriter::with_capacity(1 << 20, File::create(path)?);
    let dice = &mut Dice(20_111_018);
    let mut written = 0;
    let mut millisecond = 36_000_000;
    while written < size {
        millisecond = (millisecond + dice.below(40)) % 86_400_000;
        let entry = entry(dice, millisecond);
        log.write_all(entry.as_bytes())?;
        written += entry.len() as u64;
    }
    log.write_all(b"2026-11-22 23:59:59,999 6788 INFO farm odoo.modules.loading: Modules loaded.\n")?;
    log.flush()
}

fn entry(dice: &mut Dice, millisecond: u64) -> String {
    let (second, millisecond) = (millisecond / 1000, millisecond % 1000);
    let clock = format!("{:02}:{:02}:{:02},{millisecond:03}", second / 3600, second / 60 % 60, second % 60);
    let head = |level: &str, logger: &str| format!("2026-11-22 {clock} 6788 {level} farm {logger}: ");
    let module = dice.one(&MODULES);
    let tests = format!("odoo.addons.{module}.tests.test_{module}");
    let traceback = |dice: &mut Dice| {
        let mut lines = String::from("Traceback (most recent call last):\n");
        for _ in 0..4 + dice.below(12) {
            let (file, line) = (dice.one(&WORDS), dice.below(2000));
            lines.push_str(&format!(
                "  File \"/srv/build/addons/{module}/models/{file}.py\", line {line}, in _compute_{file}\n"
            ));
            lines.push_str(&format!("    return super().{file}({})\n", dice.one(&WORDS)));
        }
        lines + "odoo.exceptions.ValidationError: " + dice.one(&WORDS) + "\n"
    };
    match dice.below(20_000) {
        0 => {
            head("ERROR", "odoo.sql_db") + "bad query: INSERT INTO \"x\" (\"name\") VALUES (NULL)\n" + &traceback(dice)
        }
        1 => head("ERROR", &tests) + "FAIL: TestOrder.test_total\n" + &traceback(dice) + "\n",
        2..22 => head("WARNING", &format!("odoo.addons.{module}")) + "caught, as it should be\n" + &traceback(dice),
        22..8_000 => head("INFO", "odoo.modules.loading") + &format!("loading {module}/{}\n", dice.one(&FILES)),
        8_000..12_000 => head("INFO", &tests) + &format!("Starting TestOrder.test_{:05} ...\n", dice.below(100_000)),
        12_000..13_000 => {
            head("INFO", "odoo.models") + &format!("Computing parent_path for table {module}_{}...\n", dice.one(&WORDS))
        }
        13_000..13_500 => {
            head("WARNING", "odoo.fields") + &format!("Field {module}.{}: unknown parameter 'size'\n", dice.one(&WORDS))
        }
        _ => {
            let mut line = head("INFO", &tests);
            for _ in 0..3 + dice.below(18) {
                line.push_str(dice.one(&WORDS));
                line.push(' ');
            }
            line + "\n"
        }
    }
}
