//! Parses a manifest made by rule again and again, to be measured or profiled by other means:
//!
//! ```text
//! cargo bench --bench parse -- BUILDS TIMES
//! ```

use std::hint::black_box;
use std::process::ExitCode;

use farmout::diagnostic::Diagnostics;
use farmout::source::Sources;
use farmout::syntax::ini;

#[expect(dead_code, reason = "nothing is written to the disk")]
mod support;

fn main() -> ExitCode {
    // cargo adds `--bench`.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let [builds, times] = arguments.as_slice() else {
        // Among the other benches there is nothing to do.
        return ExitCode::SUCCESS;
    };
    let (Ok(builds), Ok(times)) = (builds.parse(), times.parse::<usize>()) else {
        eprintln!("BUILDS and TIMES are numbers");
        return ExitCode::from(2);
    };
    let text = support::FarmText::new(builds, 0).manifest;
    println!("{} bytes, {} lines, {times} times", text.len(), text.lines().count());
    let mut sources = Sources::default();
    let id = sources.add("MANIFEST.cfg", text);
    for _ in 0..times {
        black_box(ini::parse(&sources, id, &mut Diagnostics::default()));
    }
    ExitCode::SUCCESS
}
