//! Passwords for slaves. In: random numbers of the system. Out: a password that nobody guesses.

use std::fs::File;
use std::io::Read;

use crate::diagnostic::Failure;
use crate::model::Secret;

/// As long as this is a password that nobody guesses: 142 bits.
const LENGTH: usize = 24;

/// Letters and digits only: nothing that a comment, an interpolation or a shell could take amiss.
const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// A new password: 24 random letters and digits, from `/dev/urandom`.
///
/// # Errors
/// The machine gives no random numbers.
pub fn password() -> Result<Secret, Failure> {
    let failed = |error| Failure::error(format!("/dev/urandom: {error}"));
    let mut source = File::open("/dev/urandom").map_err(failed)?;
    let mut password = String::with_capacity(LENGTH);
    let mut bytes = [0; 64];
    while password.len() < LENGTH {
        source.read_exact(&mut bytes).map_err(failed)?;
        // 62 does not divide 256: the numbers above the last multiple would make some letters likelier.
        let fair = bytes.iter().map(|byte| usize::from(*byte)).filter(|number| *number < 248);
        password.extend(fair.map(|number| char::from(ALPHABET[number % 62])).take(LENGTH - password.len()));
    }
    Ok(Secret::new(password))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_differ() {
        let (one, other) = (password().unwrap(), password().unwrap());
        assert_ne!(one, other);
        assert!(one.expose().len() == LENGTH && one.expose().chars().all(|c| c.is_ascii_alphanumeric()));
    }
}
