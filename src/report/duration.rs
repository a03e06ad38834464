//! Durations in words.

use std::time::Duration;

/// A duration as people say it, to about two digits: `0.3s`, `12s`, `1m 05s`, `4h 00m`.
pub fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..10 => format!("{}.{}s", seconds, time.subsec_millis() / 100),
        10..60 => format!("{seconds}s"),
        60..3600 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h {:02}m", seconds / 3600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_has_its_form() {
        let said = [0, 340, 9_990, 12_000, 65_000, 14_400_000].map(|time| duration(Duration::from_millis(time)));
        assert_eq!(said, ["0.0s", "0.3s", "9.9s", "12s", "1m 05s", "4h 00m"]);
    }
}
