//! When GitHub begins runs by itself. What somebody has written comes in; five fields that GitHub takes go out.

/// The fields, in their order.
const FIELDS: [Field; 5] = [
    Field { name: "minute", first: 0, last: 59, names: &[] },
    Field { name: "hour", first: 0, last: 23, names: &[] },
    Field { name: "day of the month", first: 1, last: 31, names: &[] },
    Field {
        name: "month",
        first: 1,
        last: 12,
        names: &["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"],
    },
    Field { name: "day of the week", first: 0, last: 6, names: &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"] },
];

/// One of them.
struct Field {
    name: &'static str,
    first: usize,
    last: usize,
    /// What its values may be called, from the first one on.
    names: &'static [&'static str],
}

/// Reads a schedule.
pub(super) fn read(text: &str) -> Result<String, String> {
    let fields: Vec<&str> = text.split_whitespace().collect();
    if fields.len() != FIELDS.len() {
        return Err("it has five fields, such as `23 3 * * *`".to_owned());
    }
    FIELDS.iter().zip(&fields).try_for_each(|(field, text)| field.check(text))?;
    Ok(fields.join(" "))
}

impl Field {
    /// Demands `*`, values, ranges of them, steps, or a list of all that.
    fn check(&self, text: &str) -> Result<(), String> {
        text.split(',').try_for_each(|part| {
            let (range, step) = part.split_once('/').map_or((part, None), |(range, step)| (range, Some(step)));
            if step.is_some_and(|step| number(step).is_none_or(|step| step == 0)) {
                return Err(format!("`{part}` needs a number from 1 on behind the `/`"));
            }
            match range.split_once('-') {
                _ if range == "*" => Ok(()),
                None => self.value(range).map(drop),
                Some((from, to)) if self.value(from)? <= self.value(to)? => Ok(()),
                Some(_) => Err(format!("`{range}` ends before it begins")),
            }
        })
    }

    fn value(&self, text: &str) -> Result<usize, String> {
        let named = self.names.iter().position(|name| name.eq_ignore_ascii_case(text));
        let value = named.map(|at| at + self.first).or_else(|| number(text));
        value.filter(|value| (self.first..=self.last).contains(value)).ok_or_else(|| {
            let Self { name, first, last, names } = self;
            let or = match names {
                [begin, .., end] => format!(", or {begin} to {end}"),
                _ => String::new(),
            };
            format!("`{text}` is no {name}: those are {first} to {last}{or}")
        })
    }
}

/// A number, of digits alone.
fn number(text: &str) -> Option<usize> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_github_takes_is_taken() {
        for text in ["* * * * *", "0 0 1 1 0", "59 23 31 12 6", "*/15 9-17/2 1,15 jan-DEC mon-Fri", "20/15 4,8 * * *"] {
            assert_eq!(read(text).as_deref(), Ok(text));
        }
        assert_eq!(read(" 5  4 * * 1 ").as_deref(), Ok("5 4 * * 1"));
    }

    #[test]
    fn what_it_does_not_is_refused() {
        for (text, why) in [
            ("daily", "it has five fields"),
            ("@daily * * * *", "`@daily` is no minute: those are 0 to 59"),
            ("1 2 3 4 5 6", "it has five fields"),
            ("60 * * * *", "`60` is no minute"),
            ("* 24 * * *", "`24` is no hour"),
            ("* * 0 * *", "`0` is no day of the month"),
            ("* * * 13 *", "`13` is no month: those are 1 to 12, or JAN to DEC"),
            ("* * * * 7", "`7` is no day of the week: those are 0 to 6, or SUN to SAT"),
            ("* * * * x", "`x` is no day of the week"),
            ("* * * MON *", "`MON` is no month"),
            ("+1 * * * *", "`+1` is no minute"),
            ("1, * * * *", "`` is no minute"),
            ("30-10 * * * *", "`30-10` ends before it begins"),
            ("*/0 * * * *", "`*/0` needs a number"),
            ("*/x * * * *", "`*/x` needs a number"),
            ("99999999999999999999 * * * *", "is no minute"),
            ("* * L * *", "`L` is no day of the month"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
