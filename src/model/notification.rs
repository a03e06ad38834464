//! Who is told of what happens in runs, and how: the entries of `notify` in `farm.yaml`.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

/// Something that is told when it happens.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Notification {
    /// What is told of.
    #[schemars(length(min = 1))]
    pub on: Vec<Occasion>,
    /// Whether it is told once a run, of all builders that it is about, or of each builder when that ends.
    #[schemars(default)]
    pub each: Each,
    /// Seconds until telling is given up.
    #[schemars(default = "timeout", range(min = 1))]
    pub timeout: u64,
    /// How it is told.
    #[schemars(flatten)]
    pub means: Means,
}

/// Seconds that telling may take unless something else is said.
pub fn timeout() -> u64 {
    60
}

/// Something worth telling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename_all = "kebab-case")]
pub enum Occasion {
    /// A builder failed.
    Failure,
    /// A builder went well, and had failed before.
    Fixed,
    /// A builder went well, whether it had failed before or not.
    Success,
    /// The slave could not be used at all.
    Missing,
}

impl Occasion {
    /// All, with their words.
    pub const ALL: [(&'static str, Self); 4] =
        [("failure", Self::Failure), ("fixed", Self::Fixed), ("success", Self::Success), ("missing", Self::Missing)];
}

/// How often something is told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename_all = "kebab-case")]
pub enum Each {
    /// At the end of a run.
    #[default]
    Run,
    /// At the end of a builder.
    Builder,
}

impl Each {
    /// Both, with their words.
    pub const ALL: [(&'static str, Self); 2] = [("run", Self::Run), ("builder", Self::Builder)];
}

/// How something is told: one of the two.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema)]
#[schemars(rename_all = "kebab-case")]
pub enum Means {
    /// A program and its arguments, without a shell: it gets what happened as JSON on its standard input. A path with a `/` is
    /// relative to the farm.
    Command(#[schemars(length(min = 1))] Vec<String>),
    /// A mail.
    Mail(Mail),
}

/// A mail, but for what it says.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Mail {
    /// Who gets it. Needed unless it is `on: [missing]` alone, which is told to the slave's `notify_on_missing`.
    #[schemars(default)]
    pub to: Vec<String>,
    /// Whom it is from.
    pub from: String,
    /// How it leaves this machine: `sendmail`, or `smtp://HOST[:PORT]` for a server that takes it without a password.
    #[schemars(default, with = "String", regex(pattern = "^(sendmail|smtp://[^@/\\s]+)$"))]
    pub via: Via,
}

/// How a mail leaves this machine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Via {
    /// By the program of this name, which every mail server brings.
    #[default]
    Sendmail,
    /// By a server, spoken to without encryption and without a password.
    Smtp {
        /// Its name or address; an IPv6 address without its brackets.
        host: String,
        /// Its port.
        port: u16,
    },
}

impl Via {
    /// Reads `sendmail` or `smtp://HOST[:PORT]`.
    pub fn parse(text: &str) -> Option<Self> {
        if text == "sendmail" {
            return Some(Self::Sendmail);
        }
        let server = text.strip_prefix("smtp://")?;
        let server = server.strip_suffix('/').unwrap_or(server);
        let (host, port) = match server.strip_prefix('[') {
            Some(rest) => {
                let (host, port) = rest.split_once(']')?;
                host.parse::<std::net::Ipv6Addr>().ok()?;
                (host, port.strip_prefix(':').or(port.is_empty().then_some("25"))?)
            }
            None => server.split_once(':').unwrap_or((server, "25")),
        };
        let named = |c: char| c.is_alphanumeric() || "-._:".contains(c);
        let port = port.parse().ok().filter(|port| *port > 0)?;
        (!host.is_empty() && host.chars().all(named)).then(|| Self::Smtp { host: host.to_owned(), port })
    }
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sendmail => f.write_str("sendmail"),
            Self::Smtp { host, port } if host.contains(':') => write!(f, "smtp://[{host}]:{port}"),
            Self::Smtp { host, port } => write!(f, "smtp://{host}:{port}"),
        }
    }
}

// The schema's default is written as the file has it.
impl Serialize for Via {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_out_are_read_back_as_they_are_written() {
        let smtp = |host: &str, port| Via::Smtp { host: host.to_owned(), port };
        for (text, via) in [
            ("sendmail", Via::Sendmail),
            ("smtp://localhost:2525", smtp("localhost", 2525)),
            ("smtp://[::1]:25", smtp("::1", 25)),
        ] {
            assert_eq!(Via::parse(text), Some(via.clone()));
            assert_eq!(via.to_string(), text);
        }
        assert_eq!(Via::parse("smtp://mail.example"), Some(smtp("mail.example", 25)));
        for text in
            ["", "mail", "smtp://", "smtp://me:pw@host", "smtp://host:0", "smtp://host:x", "smtps://host", "smtp://[x]"]
        {
            assert_eq!(Via::parse(text), None, "{text}");
        }
    }
}
