//! Where jobs get farmout from.

/// A farmout for jobs whose images have none.
#[derive(Debug, Clone, Copy)]
pub struct Program<'a> {
    /// Where it is downloaded from, if the file is to say so.
    pub url: Option<&'a str>,
    /// Its SHA-256, if the file is to say so.
    pub sha256: Option<&'a str>,
}

impl<'a> Program<'a> {
    fn all(&self) -> [(&'static str, Option<&'a str>, String); 2] {
        let version = env!("CARGO_PKG_VERSION");
        let url = format!("where farmout {version} is downloaded from, unless the images have it");
        [("FARMOUT_URL", self.url, url), ("FARMOUT_SHA256", self.sha256, "its SHA-256".to_owned())]
    }

    /// The variables that the file sets.
    pub(super) fn variables(&self) -> impl Iterator<Item = (&'static str, &'a str)> {
        self.all().into_iter().filter_map(|(name, value, _)| Some((name, value?)))
    }

    /// The variables that it does not set, and what they have to hold.
    pub(super) fn unset(&self) -> impl Iterator<Item = (&'static str, String)> {
        self.all().into_iter().filter(|(_, value, _)| value.is_none()).map(|(name, _, meaning)| (name, meaning))
    }
}
