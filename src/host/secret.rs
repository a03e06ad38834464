//! Secrets that are kept elsewhere than in the file that names them. In: a [`SecretSource`]. Out: the [`Secret`], read once,
//! by whoever runs farmout, and what the reader should know of its file. It changes nothing.

use std::env;
use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;

use camino::{Utf8Path, Utf8PathBuf};
use nix::unistd::{Uid, User};

use crate::diagnostic::plain;
use crate::model::{Secret, SecretSource};

/// More than this is no password.
const LARGEST: u64 = 64 << 10;

/// A secret that was read.
#[derive(Debug)]
pub struct Found {
    /// The secret.
    pub secret: Secret,
    /// What is wrong with its file all the same, and what to do about it, each in a clause.
    pub warning: Option<(String, String)>,
}

/// Why there is none, and what to do about it, each in a clause.
#[derive(Debug)]
pub struct Missing {
    /// What is wrong.
    pub message: String,
    /// What to write or do instead.
    pub help: String,
}

/// Gets a secret from where it is kept.
///
/// # Errors
/// A file that cannot be read or holds no password; a variable that is not set.
pub fn read(source: &SecretSource) -> Result<Found, Missing> {
    match source {
        SecretSource::Given(secret) => Ok(Found { secret: secret.clone(), warning: None }),
        SecretSource::Variable(name) => variable(name),
        SecretSource::File { path, bare } => file(path, *bare),
    }
}

fn variable(name: &str) -> Result<Found, Missing> {
    let problem = match env::var(name) {
        Ok(value) if !value.is_empty() => return Ok(Found { secret: Secret::of_variable(name, value), warning: None }),
        Ok(_) => "is empty",
        Err(env::VarError::NotPresent) => "is not set",
        Err(env::VarError::NotUnicode(_)) => "is not UTF-8",
    };
    let message = format!("the variable {name} {problem}");
    let help = format!(
        "set {name} for farmout, through sudo with `--preserve-env={name}`; a password that begins with `$` is written `$$…`"
    );
    Err(Missing { message, help })
}

fn file(path: &Utf8Path, bare: bool) -> Result<Found, Missing> {
    let missing = |problem: &str| {
        // What has the look of a password is not told, as it may be one.
        let name = if bare { "the file that it names".to_owned() } else { path.to_string() };
        Missing {
            message: format!("{name} {}", plain(problem)),
            help: "the user who runs farmout must be able to read it, and it holds the password alone, on one line; a password that \
                   begins with `@` is written `@@…`"
                .to_owned(),
        }
    };
    let cannot = |error: std::io::Error| missing(&format!("cannot be read: {error}"));
    let path = at_home(path).ok_or_else(|| missing("is below a home, and HOME is not set"))?;
    let file = File::open(&path).map_err(cannot)?;
    let metadata = file.metadata().map_err(cannot)?;
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(cannot)?;
    let text = String::from_utf8(bytes).map_err(|_| missing("holds no password: it is not UTF-8"))?;
    let password = text.trim_end_matches(['\n', '\r']);
    if password.is_empty() {
        return Err(missing("is empty"));
    }
    if password.contains(['\n', '\0']) || password.len() as u64 > LARGEST {
        return Err(missing("holds no password: a password is one line"));
    }
    // A pipe is nobody's to read but ours.
    let open = metadata.is_file() && metadata.mode() & 0o077 != 0;
    let warning = open.then(|| {
        let owner = Uid::from_raw(metadata.uid());
        let name = User::from_uid(owner).ok().flatten().map_or_else(|| format!("uid {owner}"), |user| user.name);
        let message = format!(
            "{path}, which holds a password and belongs to {name}, is open to others (mode {:o})",
            metadata.mode() & 0o777
        );
        (message, format!("chmod 600 {path}"))
    });
    Ok(Found { secret: Secret::new(password), warning })
}

/// A path below `~/` below the home of who runs farmout.
fn at_home(path: &Utf8Path) -> Option<Utf8PathBuf> {
    match path.strip_prefix("~") {
        Ok(below) => {
            let home = env::var("HOME").ok().filter(|home| !home.is_empty())?;
            Some(Utf8PathBuf::from(home).join(below))
        }
        Err(_) => Some(path.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn written(text: &[u8], mode: u32) -> Result<Found, Missing> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pg.secret");
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        read(&SecretSource::File { path: path.try_into().unwrap(), bare: false })
    }

    #[test]
    fn a_file_holds_one_line() {
        for text in ["sesame", "sesame\n", "sesame\r\n", "sesame\n\n"] {
            let found = written(text.as_bytes(), 0o600).unwrap();
            assert_eq!((found.secret.expose(), found.warning), ("sesame", None));
        }
        assert_eq!(written(b" a b \n", 0o600).unwrap().secret.expose(), " a b ");
        for (text, problem) in [
            (&b""[..], "is empty"),
            (b"\n", "is empty"),
            (b"a\nb\n", "one line"),
            (b"\xff", "UTF-8"),
            (b"a\0b", "one line"),
        ] {
            let missing = written(text, 0o600).unwrap_err();
            assert!(missing.message.contains(problem), "{}", missing.message);
        }
        let large = vec![b'x'; 70_000];
        assert!(written(&large, 0o600).unwrap_err().message.contains("one line"));
    }

    #[test]
    fn a_file_that_others_can_read_is_told_of() {
        for mode in [0o640, 0o604, 0o620] {
            let (message, help) = written(b"x", mode).unwrap().warning.unwrap();
            assert!(message.contains(&format!("{mode:o}")) && help.starts_with("chmod 600 /"), "{message}");
        }
    }

    #[test]
    fn what_may_be_a_password_is_not_told() {
        let missing = read(&SecretSource::File { path: "/nowhere/dm1n".into(), bare: true }).unwrap_err();
        assert!(!missing.message.contains("dm1n") && missing.message.contains("No such file"), "{}", missing.message);
    }
}
