//! Values that must never be seen: passwords of slaves and of databases.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Range;

use indexmap::IndexMap;

/// A value that cannot be displayed, serialised or logged. It has no `Serialize`, and its `Debug` hides it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Secret {
    value: String,
    /// The environment variable that it came in.
    variable: Option<String>,
}

impl Secret {
    /// Hides `value`.
    pub fn new(value: impl Into<String>) -> Self {
        Self { value: value.into(), variable: None }
    }

    /// Hides the value of an environment variable, which is not to be handed down.
    pub fn of_variable(name: &str, value: impl Into<String>) -> Self {
        Self { value: value.into(), variable: Some(name.to_owned()) }
    }

    /// The environment variable that it came in, if it did.
    pub fn variable(&self) -> Option<&str> {
        self.variable.as_deref()
    }

    /// The value itself, for the one place that hands it to a child process or masks it in output.
    pub fn expose(&self) -> &str {
        &self.value
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The secrets of a farm by name; plans hold the names only (`${secret.NAME}`).
pub type Secrets = IndexMap<String, Secret>;

/// Who logs in where an address leads. It makes no other repository of it: all credentials are equal to each other.
#[derive(Debug, Clone, Default)]
pub struct Credentials(Option<Secret>);

impl Credentials {
    /// Those in an address, if it has any.
    pub fn of(url: &str) -> Self {
        Self(credentials(url).map(Secret::new))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// What would stand before the `@` of the address; empty if there are none.
    pub fn expose(&self) -> &str {
        self.0.as_ref().map_or("", Secret::expose)
    }
}

impl PartialEq for Credentials {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Credentials {}

impl PartialOrd for Credentials {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Credentials {
    fn cmp(&self, _: &Self) -> Ordering {
        Ordering::Equal
    }
}

impl Hash for Credentials {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

/// What stands before the `@` of the addresses in a line, whatever it is.
pub fn users(line: &str) -> impl Iterator<Item = Range<usize>> {
    line.match_indices("://").filter_map(|(at, mark)| {
        let from = at + mark.len();
        let host = line[from..].find(|c: char| c == '/' || c.is_whitespace()).map_or(line.len(), |end| from + end);
        line[from..host].rfind('@').map(|end| from..from + end)
    })
}

/// A text of some program's without the credentials in its addresses: `https://****@host/path`.
pub fn masked(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut done = 0;
    for user in users(text) {
        let scheme = text[..user.start].trim_end_matches("://");
        let web = scheme.rsplit(|c: char| !c.is_ascii_alphanumeric()).next().is_some_and(is_web);
        if web || text[user.clone()].contains(':') {
            masked.push_str(&text[done..user.start]);
            masked.push_str("****");
            done = user.end;
        }
    }
    masked + &text[done..]
}

/// The user and the password in an address, without the `@`; none where it has no password. A user alone is part of most
/// addresses that are no web addresses.
pub fn credentials(url: &str) -> Option<&str> {
    let (scheme, rest) = url.split_once("://")?;
    let (user, _) = rest[..rest.find('/').unwrap_or(rest.len())].rsplit_once('@')?;
    (is_web(scheme) || user.contains(':')).then_some(user)
}

/// Whether what stands before an `@` is a password, or a token, even by itself.
fn is_web(scheme: &str) -> bool {
    scheme.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("http"))
}

/// An address as graphs may show it: who reads the repository has the password from elsewhere.
pub fn without_credentials(url: &str) -> String {
    match credentials(url) {
        Some(user) => url.replacen(&format!("{user}@"), "", 1),
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_in_addresses_are_found() {
        assert_eq!(credentials("https://me:pw@git.example/x"), Some("me:pw"));
        assert_eq!(credentials("HTTPS://token@git.example/x"), Some("token"));
        assert_eq!(credentials("ssh://git@git.example/x"), None);
        assert_eq!(credentials("https://git.example/x@y"), None);
        assert_eq!(without_credentials("https://token@git.example/x"), "https://git.example/x");
    }

    #[test]
    fn what_programs_say_is_masked() {
        assert_eq!(
            masked("at 'https://me:p@w@git.example/x': no, http://t0ken@b and ssh://git@c/a@b, ssh://me:pw@d"),
            "at 'https://****@git.example/x': no, http://****@b and ssh://git@c/a@b, ssh://****@d"
        );
        assert_eq!(masked("é://@: nothing"), "é://@: nothing");
    }

    #[test]
    fn credentials_make_no_difference() {
        let credentials = Credentials::of("https://me:pw@git.example/x");
        assert_eq!((&credentials, credentials.expose()), (&Credentials::default(), "me:pw"));
        assert!(!format!("{credentials:?}").contains("pw"));
    }
}
