//! Writes a farm made by rule into a directory, to be measured or profiled by other means:
//!
//! ```text
//! cargo bench --bench farm -- BUILDS SLAVES DIRECTORY
//! ```

use std::path::Path;
use std::process::ExitCode;

mod support;

fn main() -> ExitCode {
    // cargo adds `--bench`.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let [builds, slaves, directory] = arguments.as_slice() else {
        // Among the other benches there is nothing to do.
        return ExitCode::SUCCESS;
    };
    let (Ok(builds), Ok(slaves)) = (builds.parse(), slaves.parse()) else {
        eprintln!("BUILDS and SLAVES are numbers");
        return ExitCode::from(2);
    };
    match support::FarmText::new(builds, slaves).write(Path::new(directory)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cannot write the farm into {directory}: {error}");
            ExitCode::from(2)
        }
    }
}
