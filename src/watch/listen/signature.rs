//! Whether a request is from whom it says: its fields and body, and the secrets that are shared with services in; yes or no out, in
//! a time that tells nothing of a secret.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::http::Request;
use crate::model::Secret;
use crate::watch::payload::Service;

/// Checks a request against the secrets, of which one is enough.
///
/// # Errors
/// What is wrong, in a clause.
pub(super) fn check(service: Service, request: &Request, secrets: &[Secret]) -> Result<(), String> {
    let names: &[&str] = match service {
        Service::Bitbucket | Service::BitbucketServer => &["X-Hub-Signature"],
        Service::Gitea => &["X-Gitea-Signature", "X-Forgejo-Signature", "X-Hub-Signature-256"],
        Service::GitHub => &["X-Hub-Signature-256"],
        Service::GitLab | Service::Heptapod => &["X-Gitlab-Token"],
    };
    let Some(said) = names.iter().find_map(|name| request.field(name)) else {
        return Err(format!("the request has no {}: give the service the secret", names[0]));
    };
    let right = match service {
        Service::GitLab | Service::Heptapod => secrets.iter().any(|secret| is_token(secret, said)),
        _ => secrets.iter().any(|secret| is_signature(secret, &request.body, said)),
    };
    right.then_some(()).ok_or_else(|| format!("{} is not made with the secret", names[0]))
}

fn mac(secret: &Secret, text: &[u8]) -> Hmac<Sha256> {
    let key = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes());
    key.expect("HMAC takes a key of any length").chain_update(text)
}

fn is_signature(secret: &Secret, body: &[u8], said: &str) -> bool {
    let hexadecimal = said.strip_prefix("sha256=").unwrap_or(said);
    bytes(hexadecimal).is_some_and(|said| mac(secret, body).verify_slice(&said).is_ok())
}

/// Compares by what is made of both, which takes the same time wherever they differ.
fn is_token(secret: &Secret, said: &str) -> bool {
    let right = mac(secret, secret.expose().as_bytes()).finalize();
    mac(secret, said.as_bytes()).verify(&right.into_bytes()).is_ok()
}

fn bytes(hexadecimal: &str) -> Option<Vec<u8>> {
    let digits = hexadecimal.as_bytes();
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    digits.chunks_exact(2).map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example in GitHub's documentation.
    const SECRET: &str = "It's a Secret to Everybody";
    const BODY: &[u8] = b"Hello, World!";
    const SIGNATURE: &str = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

    fn checked(service: Service, name: &str, value: &str, secrets: &[&str]) -> Result<(), String> {
        let secrets: Vec<Secret> = secrets.iter().map(|secret| Secret::new(*secret)).collect();
        check(service, &Request::new("/", &[(name, value)], BODY), &secrets)
    }

    #[test]
    fn a_right_signature_passes_and_no_other() {
        let full = format!("sha256={SIGNATURE}");
        for (service, name, value) in [
            (Service::GitHub, "X-Hub-Signature-256", full.as_str()),
            (Service::Gitea, "x-gitea-signature", SIGNATURE),
            (Service::Gitea, "X-Hub-Signature-256", &full),
            (Service::Bitbucket, "X-Hub-Signature", &full),
            (Service::BitbucketServer, "X-Hub-Signature", &full),
            (Service::GitLab, "X-Gitlab-Token", SECRET),
            (Service::Heptapod, "X-Gitlab-Token", SECRET),
        ] {
            checked(service, name, value, &["another", SECRET]).unwrap();
            assert!(checked(service, name, value, &["another"]).unwrap_err().contains("not made with"), "{value}");
            assert!(checked(service, "X-Other", value, &[SECRET]).unwrap_err().contains("has no"), "{value}");
            for wrong in
                ["", "sha256=", "sha256=é", "sha256=7571", &value[1..], &format!("{value}0"), &format!("{value}00")]
            {
                assert!(checked(service, name, wrong, &[SECRET]).is_err(), "{wrong}");
            }
        }
        // A weaker one is none.
        assert!(checked(Service::GitHub, "X-Hub-Signature", &full, &[SECRET]).is_err());
    }
}
