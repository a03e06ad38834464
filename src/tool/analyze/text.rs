//! Whether a log is text at all. A file's bytes come in; out go the same without a byte order mark, or what they are instead:
//! looked through as text, such a log would only seem to lack everything.

use std::io::{self, Cursor, Read};

/// Bytes that are looked at.
const LOOKED_AT: usize = 64;
/// In so many bytes of UTF-16 without a mark, its form shows.
const SHOWS: usize = 8;

const MARK: &[u8] = b"\xef\xbb\xbf";

/// What files begin with that are no text, and what they are then.
const BEGINNINGS: [(&[u8], Form); 6] = [
    (b"\x1f\x8b", Form::Packed("gzip")),
    (b"BZh", Form::Packed("bzip2")),
    (b"\xfd7zXZ\x00", Form::Packed("xz")),
    (b"\x28\xb5\x2f\xfd", Form::Packed("zstd")),
    (b"\xff\xfe", Form::Utf16),
    (b"\xfe\xff", Form::Utf16),
];

/// What a log is that is no text in UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Compressed by a program.
    Packed(&'static str),
    /// Text in UTF-16.
    Utf16,
}

impl std::fmt::Display for Form {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Packed(program) => write!(f, "{program}, not text"),
            Self::Utf16 => f.write_str("UTF-16, not UTF-8"),
        }
    }
}

/// The text of a log, or what it is instead.
///
/// # Errors
/// Those of reading.
pub(super) fn text(mut log: impl Read) -> io::Result<Result<impl Read, Form>> {
    let mut head = Vec::with_capacity(LOOKED_AT);
    log.by_ref().take(LOOKED_AT as u64).read_to_end(&mut head)?;
    if let Some(form) = form(&head) {
        return Ok(Err(form));
    }
    if head.starts_with(MARK) {
        head.drain(..MARK.len());
    }
    Ok(Ok(Cursor::new(head).chain(log)))
}

fn form(head: &[u8]) -> Option<Form> {
    let known = BEGINNINGS.iter().find(|(beginning, _)| head.starts_with(beginning));
    known.map(|(_, form)| *form).or_else(|| is_utf16(head).then_some(Form::Utf16))
}

/// Whether every other byte is zero and no other is: Latin letters in UTF-16.
fn is_utf16(head: &[u8]) -> bool {
    let zeros = |odd: usize| head.iter().enumerate().all(|(at, byte)| (*byte == 0) == (at % 2 == odd));
    head.len() >= SHOWS && (zeros(0) || zeros(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(log: &[u8]) -> Result<Vec<u8>, Form> {
        text(log).unwrap().map(|mut text| {
            let mut all = Vec::new();
            text.read_to_end(&mut all).unwrap();
            all
        })
    }

    #[test]
    fn what_is_no_text_is_known() {
        assert_eq!(read(b"\x1f\x8b\x08rest"), Err(Form::Packed("gzip")));
        let (little, big): (Vec<u8>, Vec<u8>) = (
            "2026-11-22 INFO".encode_utf16().flat_map(u16::to_le_bytes).collect(),
            "2026-11-22".encode_utf16().flat_map(u16::to_be_bytes).collect(),
        );
        assert_eq!(
            (read(&little), read(&big), read(b"\xff\xfe")),
            (Err(Form::Utf16), Err(Form::Utf16), Err(Form::Utf16))
        );
    }

    #[test]
    fn anything_else_is_read_as_it_is() {
        let long = vec![b'x'; 1000];
        for log in [&b""[..], b"\n", b"\xef\xbb", b"\0\0\0\0\0\0\0\0\0\0", b"a\0b\0", b"\xff\xff text", &long] {
            assert_eq!(read(log).unwrap(), log);
        }
        assert_eq!(read(b"\xef\xbb\xbf2026\n").unwrap(), b"2026\n");
        assert_eq!(read(b"\xef\xbb\xbf\xef\xbb\xbf").unwrap(), b"\xef\xbb\xbf");
    }
}
