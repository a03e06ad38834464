//! The workflow commands of GitHub Actions: each becomes an annotation beside its line.

use std::io::{self, Write};

use super::super::{Report, Severity};

pub(super) fn github(report: &Report<'_>, output: &mut impl Write) -> io::Result<()> {
    for finding in report.findings() {
        let wording = &finding.wording;
        let place = report.place(finding.diagnostic.span);
        let command = match wording.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Notice => "notice",
        };
        write!(output, "::{command} file={},line={}", property(&place.file), place.line)?;
        // Columns are only taken where the place is within a line.
        if place.line == place.end_line {
            write!(output, ",col={},endLine={}", place.column, place.end_line)?;
            write!(output, ",endColumn={}", place.end_column)?;
        } else {
            write!(output, ",endLine={}", place.end_line)?;
        }
        let help = wording.help.as_ref().map(|help| format!("\nhelp: {help}")).unwrap_or_default();
        let message = data(&format!("{}{help}", wording.message));
        writeln!(output, ",title={}::{message}", property(wording.code))?;
    }
    Ok(())
}

/// Text behind the command.
pub(crate) fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A property's value, which `:` and `,` would end.
pub(crate) fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_end_a_command_is_escaped() {
        assert_eq!(data("50%,\r\nx: y"), "50%25,%0D%0Ax: y");
        assert_eq!(property("a,b:c%0A\n"), "a%2Cb%3Ac%250A%0A");
    }
}
