//! A farmout program that a script carries: compressed, as lines of Base64.

use std::io::{self, Read, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::{Compression, GzBuilder};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

/// Bytes of a line: 76 characters.
const LINE: usize = 57;

/// A program, packed.
#[derive(Debug)]
pub struct Program {
    packed: Vec<u8>,
    sha256: String,
}

/// Where it runs.
#[derive(Debug, Serialize)]
pub(super) struct Platform {
    /// What `uname -s` and `uname -m` say there, as a pattern of the shell's.
    pattern: String,
    /// For people.
    name: String,
    sha256: String,
}

impl Program {
    /// Packs this very process's program.
    ///
    /// # Errors
    /// Its file cannot be read.
    pub fn own() -> io::Result<Self> {
        Self::pack(std::fs::File::open(std::env::current_exe()?)?)
    }

    /// Packs a program of this machine's kind.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn pack(mut program: impl Read) -> io::Result<Self> {
        // Without a time, so that the same program gives the same bytes.
        let mut packing = GzBuilder::new().write(Vec::new(), Compression::default());
        let mut digest = Sha256::new();
        let mut buffer = vec![0; 1 << 20];
        loop {
            let count = program.read(&mut buffer)?;
            if count == 0 {
                break;
            }
            digest.update(&buffer[..count]);
            packing.write_all(&buffer[..count])?;
        }
        let sha256 = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { packed: packing.finish()?, sha256 })
    }

    pub(super) fn platform(&self) -> Platform {
        let (os, name) = match std::env::consts::OS {
            "linux" => ("Linux", "Linux"),
            "macos" => ("Darwin", "macOS"),
            "freebsd" => ("FreeBSD", "FreeBSD"),
            other => (other, other),
        };
        let machines: &[&str] = match std::env::consts::ARCH {
            "x86_64" => &["x86_64", "amd64"],
            "aarch64" => &["aarch64", "arm64"],
            "x86" => &["i?86"],
            "arm" => &["arm*"],
            _ => &["*"],
        };
        // Stars are no stars in quotes.
        let pattern = |machine: &&str| match machine.split_once(['*', '?']) {
            Some((plain, _)) => format!("'{os} {plain}'{}", &machine[plain.len()..]),
            None => format!("'{os} {machine}'"),
        };
        let patterns: Vec<String> = machines.iter().map(pattern).collect();
        Platform {
            pattern: patterns.join(" | "),
            name: format!("'{name} on {}'", std::env::consts::ARCH),
            sha256: self.sha256.clone(),
        }
    }

    /// Writes it as lines, without the end of the last one.
    pub(super) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut line = String::new();
        for (number, bytes) in self.packed.chunks(LINE).enumerate() {
            line.clear();
            if number > 0 {
                line.push('\n');
            }
            STANDARD.encode_string(bytes, &mut line);
            out.write_all(line.as_bytes())?;
        }
        Ok(())
    }
}
