//! Gitea's and Forgejo's `push`, which has GitHub's form.

use jiff::Timestamp;

use super::github::Push;
use super::{json, other};
use crate::watch::Came;

pub(super) fn read(event: &str, body: &[u8], time: Timestamp) -> Result<Came, String> {
    match event {
        "push" => json::<Push>(body)?.told(time),
        _ => Ok(other(event)),
    }
}
