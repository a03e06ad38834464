//! Values as a page says them: durations, dates, places on an axis, fragments of addresses.

use std::fmt::Write as _;
use std::time::Duration;

use jiff::Timestamp;

use crate::report::duration;

/// A duration as people say it.
pub(super) fn took(seconds: f64) -> String {
    duration(Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or_default())
}

/// A moment, to the second. In UTC: a page is read anywhere, and says the same wherever it is made.
pub(super) fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// A moment for programs.
pub(super) fn machine(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// A builder's name as its element's id and as the fragment that leads to it: with what an address cannot hold, and what
/// separates builder, step and line, as `%XX`.
pub(super) fn anchor(name: &str) -> String {
    let mut anchor = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => anchor.push(char::from(byte)),
            // Writing to a string does not fail.
            _ => drop(write!(anchor, "%{byte:02X}")),
        }
    }
    anchor
}

/// A stretch of time that is drawn from one edge to the other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Axis {
    from: f64,
    length: f64,
}

/// A mark on an axis.
#[derive(Debug, PartialEq, serde::Serialize)]
pub(super) struct Tick {
    pub(super) at: f64,
    pub(super) text: String,
}

impl Axis {
    /// From one moment to another, in seconds.
    pub(super) fn new(from: f64, to: f64) -> Self {
        Self { from, length: (to - from).max(0.001) }
    }

    /// Where a moment is, in percent. What is outside, after a clock jumped, is at the edge.
    pub(super) fn at(self, moment: f64) -> f64 {
        rounded(((moment - self.from) / self.length).clamp(0.0, 1.0) * 100.0)
    }

    /// Where something begins, and how wide it is.
    pub(super) fn bar(self, from: f64, to: f64) -> (f64, f64) {
        let (from, to) = (self.at(from), self.at(to));
        (from, rounded(to - from))
    }

    /// A few round times after the beginning, and so far before the end that there is room for their words.
    pub(super) fn ticks(self) -> Vec<Tick> {
        const STEPS: [u32; 20] = [
            1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172_800, 604_800,
        ];
        let step = STEPS.into_iter().map(f64::from).find(|step| self.length / step <= 6.5);
        let step = step.unwrap_or(self.length / 4.0);
        let ticks = (1..8).map(|number| f64::from(number) * step).take_while(|at| *at < self.length * 0.92);
        ticks.map(|at| Tick { at: self.at(self.from + at), text: took(at) }).collect()
    }
}

/// To a hundredth: more digits are not seen, and cost.
pub(super) fn rounded(number: f64) -> f64 {
    (number * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_fragments() {
        assert_eq!(anchor("sale-14.0_x~pg15"), "sale-14.0_x~pg15");
        assert_eq!(anchor("a b/c:d%é\"<"), "a%20b%2Fc%3Ad%25%C3%A9%22%3C");
    }

    #[test]
    fn an_axis_has_round_ticks_and_no_place_outside() {
        let axis = Axis::new(100.0, 700.0);
        assert_eq!(axis.bar(250.0, 400.0), (25.0, 25.0));
        assert_eq!(axis.bar(-5.0, 10_000.0), (0.0, 100.0));
        let texts: Vec<_> = axis.ticks().into_iter().map(|tick| tick.text).collect();
        assert_eq!(texts, ["2m 00s", "4m 00s", "6m 00s", "8m 00s"]);
        assert_eq!(Axis::new(3.0, 3.0).ticks(), []);
        assert_eq!(Axis::new(0.0, f64::from(u32::MAX)).ticks().len(), 3);
    }
}
