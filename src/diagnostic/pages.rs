//! Where the pages of the codes are published: an address in, an address for each code out.

use std::str::FromStr;

/// The address of the page that `docs/checks.md` is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pages(String);

impl Pages {
    /// The address that farmout was built with: who packages it can set `FARMOUT_DOCS_URL` then, too.
    pub fn built_in() -> Option<Self> {
        option_env!("FARMOUT_DOCS_URL").and_then(|address| address.parse().ok())
    }

    /// The address of a code's heading, as GitHub, GitLab and mdBook make it.
    pub fn of(&self, code: &str) -> String {
        let anchor: String = code.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
        format!("{}#{anchor}", self.0)
    }
}

impl FromStr for Pages {
    type Err = &'static str;

    fn from_str(address: &str) -> Result<Self, Self::Err> {
        let known = ["https://", "http://", "file://"].iter().any(|scheme| address.starts_with(scheme));
        // It is written into the terminal as it is.
        if !known || !address.chars().all(|c| c.is_ascii_graphic()) {
            return Err("an address begins with https://, http:// or file://, and has no blanks");
        }
        Ok(Self(address.split('#').next().unwrap_or_default().to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_an_anchor() {
        let pages: Pages = "https://docs.example/farmout/checks.md#top".parse().unwrap();
        assert_eq!(pages.of("ini::hash-in-value"), "https://docs.example/farmout/checks.md#inihash-in-value");
        for address in ["", "docs.example", "javascript://x", "https://x\u{1b}]8;;", "https://x y"] {
            assert!(address.parse::<Pages>().is_err(), "{address}");
        }
    }
}
