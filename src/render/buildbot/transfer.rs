//! Steps whose command moves files on one machine, where with workers there are two: what is published belongs on the master,
//! and archives come from it. The command of a step comes in, what is to be moved goes out.

use super::document::{Download, Text, Upload};
use crate::plan::placeholder::Piece;

/// What the step publishes, if it does.
pub(super) fn upload(run: &[Text]) -> Option<Upload> {
    let arguments = tool(run, &["tool", "upload"])?;
    let mut options = Options::of(arguments);
    Some(Upload {
        base: options.take("--base").unwrap_or_else(|| Text::Plain(".".to_owned())),
        to: options.take("--to")?,
        url: options.take("--url"),
        sources: options.rest,
    })
}

/// The archive that the step unpacks, if it does and the archive is not one that the build itself has made.
pub(super) fn download(run: &[Text]) -> Option<Download> {
    let arguments = tool(run, &["tool", "fetch", "archive"])?;
    let mut options = Options::of(arguments);
    let root = options.take("--root")?;
    if !matches!(root, Text::Plain(_)) {
        return None;
    }
    Some(Download { root, directory: options.take("--directory")?, name: options.take("--name")? })
}

/// The arguments of a command of farmout's own.
fn tool<'a>(run: &'a [Text], command: &[&str]) -> Option<&'a [Text]> {
    let (program, arguments) = run.split_first()?;
    let own = matches!(program, Text::Pieces(pieces) if matches!(pieces.as_slice(), [Piece::Placeholder { name, .. }] if name == "farmout"));
    let (given, rest) = arguments.split_at_checked(command.len())?;
    let same = given.iter().zip(command).all(|(given, word)| matches!(given, Text::Plain(text) if text == word));
    (own && same).then_some(rest)
}

/// Arguments, with options and their values apart.
struct Options {
    named: Vec<(String, Text)>,
    rest: Vec<Text>,
}

impl Options {
    fn of(arguments: &[Text]) -> Self {
        let (mut named, mut rest) = (Vec::new(), Vec::new());
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            match (option(argument), arguments.as_slice()) {
                (Some((name, Some(value))), _) => named.push((name, value)),
                (Some((name, None)), [value, ..]) => {
                    named.push((name, value.clone()));
                    arguments.next();
                }
                _ => rest.push(argument.clone()),
            }
        }
        Self { named, rest }
    }

    fn take(&mut self, name: &str) -> Option<Text> {
        let at = self.named.iter().position(|(known, _)| known == name)?;
        Some(self.named.remove(at).1)
    }
}

/// An option's name, and its value if it is written `--name=value`.
fn option(argument: &Text) -> Option<(String, Option<Text>)> {
    let (first, rest) = match argument {
        Text::Plain(text) => (text.as_str(), &[][..]),
        Text::Pieces(pieces) => match pieces.split_first()? {
            (Piece::Literal(literal), rest) => (literal.as_str(), rest),
            (Piece::Placeholder { .. }, _) => return None,
        },
    };
    if !first.starts_with("--") {
        return None;
    }
    let Some((name, value)) = first.split_once('=') else { return Some((first.to_owned(), None)) };
    let value = match rest {
        [] => Text::Plain(value.to_owned()),
        rest => {
            let literal = (!value.is_empty()).then(|| Piece::Literal(value.to_owned()));
            Text::Pieces(literal.into_iter().chain(rest.iter().cloned()).collect())
        }
    };
    Some((name.to_owned(), Some(value)))
}
