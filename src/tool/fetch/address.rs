//! A repository's address: what may be shown of it, and how its secrets are taken out of other programs' output.

use super::Error;
use crate::model::launchpad;

/// The variable in which a command is given what stands before the `@` of an address: every user of the machine can read
/// its arguments, and only its own user its environment.
pub const CREDENTIALS: &str = "FARMOUT_CREDENTIALS";

/// Where a repository is. It has no `Display`: [`Address::shown`] is what may be printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    text: String,
    /// The byte range of `user:password` before the `@`, where that is secret.
    secret: Option<std::ops::Range<usize>>,
}

impl Address {
    /// Takes an address apart. In `https://user:password@host/` and `https://token@host/` all before the `@` is secret; the
    /// user of `ssh://git@host/` is not.
    pub fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        let secret = text.find("://").and_then(|at| {
            let start = at + 3;
            let end = text[start..].find(['/', '?', '#']).map_or(text.len(), |end| start + end);
            let at = start + text[start..end].rfind('@')?;
            let web = text[..start].to_ascii_lowercase().starts_with("http");
            (web || text[start..at].contains(':')).then_some(start..at)
        });
        Self { text, secret }
    }

    /// An address whose secret part was given apart, as in [`CREDENTIALS`]. One that has its own keeps that.
    pub fn with_credentials(text: impl Into<String>, credentials: &str) -> Self {
        let address = Self::new(text);
        match address.text.split_once("://") {
            Some((scheme, rest)) if address.secret.is_none() && !credentials.is_empty() => {
                Self::new(format!("{scheme}://{credentials}@{rest}"))
            }
            _ => address,
        }
    }

    /// The address as Mercurial and Bazaar are given it, on their command line: no option of theirs and none of ssh's, nothing
    /// that would be another line of a file, a local path from the root on, `lp:NAME` spelled out where `short` says so.
    pub(crate) fn plain(&self, short: bool) -> Result<Self, Error> {
        let text = self.text.as_str();
        if text.is_empty() {
            return Err(Error::Misuse("the repository's address is empty"));
        }
        if text.starts_with('-') {
            return Err(Error::Misuse("the repository's address begins with `-`, as an option does"));
        }
        if text.chars().any(char::is_control) || decoded(text).chars().any(char::is_control) {
            return Err(Error::Misuse("the repository's address holds characters that no address has"));
        }
        if let Some(whole) = launchpad(text).filter(|_| short) {
            return Ok(Self::new(whole));
        }
        let Some((_, rest)) = text.split_once("://") else {
            let path = std::path::absolute(text).map_err(|_| Error::Misuse("the repository's path cannot be found"))?;
            return Ok(Self::new(path.to_string_lossy()));
        };
        let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
        let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
        if [user, host].iter().any(|part| decoded(part).starts_with('-')) {
            return Err(Error::Misuse(
                "the address names a user or a host that begins with `-`, as an option of ssh does",
            ));
        }
        if self.secret.is_some() && self.login().is_none() {
            return Err(Error::Misuse("only an http or https address takes a password: put a key for ssh in place"));
        }
        Ok(self.clone())
    }

    /// The address itself, secrets and all. Not for a command line.
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// The address for a command line: without a password. The user stays where a program needs the name to log in.
    pub fn public(&self) -> String {
        match &self.secret {
            Some(range) if !self.asks_for_login() => {
                let user = self.text[range.clone()].split(':').next().unwrap_or_default();
                format!("{}{user}{}", &self.text[..range.start], &self.text[range.end..])
            }
            _ => self.bare(),
        }
    }

    /// The user and the password, decoded, where the server would ask for them.
    pub fn login(&self) -> Option<Login> {
        let credentials = &self.text[self.secret.clone().filter(|_| self.asks_for_login())?];
        let (user, password) = credentials.split_once(':').unwrap_or((credentials, ""));
        Some(Login { site: self.site(), user: decoded(user), password: decoded(password) })
    }

    /// Whether it is of a kind that logs in by asking, and not, as ssh does, by itself.
    fn asks_for_login(&self) -> bool {
        let scheme = self.text.split("://").next().unwrap_or_default().to_ascii_lowercase();
        ["http", "https", "ftp", "ftps"].contains(&&*scheme)
    }

    /// Scheme, host and port: what the login is for.
    fn site(&self) -> String {
        let bare = self.bare();
        let host = bare.find("://").map_or(0, |at| at + 3);
        let end = bare[host..].find(['/', '?', '#']).map_or(bare.len(), |end| host + end);
        bare[..end].to_owned()
    }

    /// The address for people: `https://****@host/path`.
    pub fn shown(&self) -> String {
        match &self.secret {
            Some(range) => format!("{}****{}", &self.text[..range.start], &self.text[range.end..]),
            None => self.text.clone(),
        }
    }

    /// The address without what is secret, to be written to disk: `https://host/path`.
    pub fn bare(&self) -> String {
        match &self.secret {
            Some(range) => format!("{}{}", &self.text[..range.start], &self.text[range.end + 1..]),
            None => self.text.clone(),
        }
    }

    /// Takes what is secret out of a line of output, as it is written in the address and decoded.
    pub fn hide(&self, line: &str) -> String {
        let Some(range) = &self.secret else { return line.to_owned() };
        let credentials = &self.text[range.clone()];
        let mut line = line.replace(credentials, "****").replace(&decoded(credentials), "****");
        let parts = credentials.split_once(':').map_or([credentials, ""], |(user, password)| [password, user]);
        // A user's name may be any word ("git"); the password goes wherever it stands.
        let password = parts[0];
        if password.len() > 2 {
            line = line.replace(password, "****").replace(&decoded(password), "****");
        }
        line
    }
}

/// Who logs in where. It has neither `Display` nor `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// The server: `https://host:port`.
    pub site: String,
    /// The user, or a token.
    pub user: String,
    /// The password; empty where there is none.
    pub password: String,
}

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Address({})", self.shown())
    }
}

/// Undoes `%40` and the like.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, more)) = rest.split_first() {
        let code = more.get(..2).and_then(|code| std::str::from_utf8(code).ok());
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(byte) if first == b'%' => {
                bytes.push(byte);
                rest = &more[2..];
            }
            _ => {
                bytes.push(first);
                rest = more;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_hidden() {
        let address = Address::new("https://me:p%40ss@host.example/a@b");
        assert_eq!(address.shown(), "https://****@host.example/a@b");
        assert_eq!(address.bare(), "https://host.example/a@b");
        assert_eq!(address.hide("fatal: me:p%40ss, p@ss, p%40ss"), "fatal: ****, ****, ****");
        let token = Address::new("https://t0ken@host.example/a");
        assert_eq!(token.shown(), "https://****@host.example/a");
        assert_eq!(token.hide("no t0ken"), "no ****");
        assert_eq!(format!("{token:?}"), "Address(https://****@host.example/a)");
    }

    #[test]
    fn a_login_is_for_its_server_and_on_no_command_line() {
        let address = Address::with_credentials("https://host.example:8443/a", "me:p%40ss:word");
        assert_eq!(address, Address::new("https://me:p%40ss:word@host.example:8443/a"));
        assert_eq!(address.public(), "https://host.example:8443/a");
        let login = address.login().unwrap();
        assert_eq!((&*login.site, &*login.user, &*login.password), ("https://host.example:8443", "me", "p@ss:word"));
        let token = Address::new("HTTPS://t0ken@host").login().unwrap();
        assert_eq!((&*token.site, &*token.user, &*token.password), ("HTTPS://host", "t0ken", ""));
        let ssh = Address::new("ssh://git:pw@host/a");
        assert_eq!(ssh.public(), "ssh://git@host/a");
        assert!(ssh.login().is_none() && Address::new("https://host/a").login().is_none());
        assert_eq!(Address::with_credentials("https://you@host/a", "me:pw").expose(), "https://you@host/a");
        assert_eq!(Address::with_credentials("/srv/a", "me:pw").expose(), "/srv/a");
    }

    #[test]
    fn options_are_no_addresses() {
        let refused = [
            "",
            "-x",
            "--config=hooks.pre-pull=x",
            "ssh://-oProxyCommand=x/a",
            "ssh://%2doProxyCommand=x/a",
            "ssh://-x@host/a",
            "bzr+ssh://-oProxyCommand=x/a",
            "https://host/a\n[hooks]",
            "https://me%0a:x@host/a",
            "ssh://me:pw@host/a",
        ];
        for text in refused {
            assert!(Address::new(text).plain(false).is_err(), "{text}");
        }
        for text in ["/srv/a-b", "ssh://me@host/-x", "https://me:-x@host/a", "file:///a"] {
            assert_eq!(Address::new(text).plain(false).unwrap().expose(), text);
        }
        let here = Address::new("a").plain(false).unwrap();
        assert!(here.expose().starts_with('/') && here.expose().ends_with("/a"));
        assert_eq!(Address::new("lp:x").plain(true).unwrap().expose(), "https://bazaar.launchpad.net/+branch/x");
    }

    #[test]
    fn what_is_not_secret_stays() {
        for text in ["ssh://git@host/a", "git@host:a/b", "/srv/a@b", "https://host/a@b", "-x", "", "file:///a", "é://@"]
        {
            assert_eq!(Address::new(text).shown(), text);
            assert_eq!(Address::new(text).bare(), text);
            assert_eq!(Address::new(text).public(), text);
        }
    }
}
