//! Addresses of repositories, as far as all of farmout must agree on them.

/// The address behind `lp:NAME`: that of the branch on Launchpad's public HTTPS server. None for any other address.
pub fn launchpad(url: &str) -> Option<String> {
    const SERVER: &str = "https://bazaar.launchpad.net";
    let name = url.strip_prefix("lp:")?.trim_start_matches('/');
    Some(if name.starts_with(['~', '+']) { format!("{SERVER}/{name}") } else { format!("{SERVER}/+branch/{name}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_names_of_launchpad_are_spelled_out() {
        let of = |url| launchpad(url).unwrap();
        assert_eq!(of("lp:openobject-server"), "https://bazaar.launchpad.net/+branch/openobject-server");
        assert_eq!(of("lp:openobject-server/7.0"), "https://bazaar.launchpad.net/+branch/openobject-server/7.0");
        assert_eq!(of("lp:~a/b/c"), "https://bazaar.launchpad.net/~a/b/c");
        assert_eq!(of("lp:///~a/b/c"), "https://bazaar.launchpad.net/~a/b/c");
        assert_eq!(launchpad("https://host.example/lp:x"), None);
    }
}
