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

/// The archive that the step unpacks, if it does and the archive is not one that the build itself has made. Its command looks
/// for it where the worker has it, then, if there is such a place.
pub(super) fn download(run: &mut [Text]) -> Option<Download> {
    let arguments = tool(run, &["tool", "fetch", "archive"])?;
    let before = run.len() - arguments.len();
    let mut options = Options::of(arguments);
    let (Text::Plain(root), at) = options.take_with_place("--root")? else { return None };
    let download = Download {
        root: Text::Plain(root.clone()),
        directory: options.take("--directory")?,
        name: options.take("--name")?,
    };
    let archives = Piece::Placeholder { name: "archives".to_owned(), default: Some(vec![Piece::Literal(root)]) };
    let argument = &mut run[before + at];
    let own = matches!(argument, Text::Plain(text) if text.starts_with("--root="));
    let option = own.then(|| Piece::Literal("--root=".to_owned()));
    *argument = Text::Pieces(option.into_iter().chain([archives]).collect());
    Some(download)
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
    /// Name, value, and which argument has the value.
    named: Vec<(String, Text, usize)>,
    rest: Vec<Text>,
}

impl Options {
    fn of(arguments: &[Text]) -> Self {
        let (mut named, mut rest) = (Vec::new(), Vec::new());
        let mut arguments = arguments.iter().enumerate();
        while let Some((at, argument)) = arguments.next() {
            match option(argument) {
                Some((name, Some(value))) => named.push((name, value, at)),
                Some((name, None)) => match arguments.next() {
                    Some((at, value)) => named.push((name, value.clone(), at)),
                    None => rest.push(argument.clone()),
                },
                None => rest.push(argument.clone()),
            }
        }
        Self { named, rest }
    }

    fn take(&mut self, name: &str) -> Option<Text> {
        self.take_with_place(name).map(|(value, _)| value)
    }

    /// The value and which argument has it.
    fn take_with_place(&mut self, name: &str) -> Option<(Text, usize)> {
        let found = self.named.iter().position(|(known, ..)| known == name)?;
        let (_, value, at) = self.named.remove(found);
        Some((value, at))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::buildbot::apart::text;

    fn words(words: &[&str]) -> Vec<Text> {
        words.iter().map(|word| text(word).unwrap()).collect()
    }

    fn fetch(rest: &[&str]) -> Vec<Text> {
        words(&[&["${farmout}", "tool", "fetch", "archive"], rest].concat())
    }

    #[test]
    fn the_command_looks_for_the_archive_where_the_worker_has_it() {
        for (given, made) in [
            (&["--root", "/a b", "--directory", "d", "--name=${run}"][..], &["--root", "${archives:-/a b}"][..]),
            (
                &["--name", "--root", "--directory=d", "--root=/a"],
                &["--name", "--root", "--directory=d", "--root=${archives:-/a}"],
            ),
        ] {
            let mut run = fetch(given);
            let found = download(&mut run).unwrap();
            assert_eq!(found.directory, Text::Plain("d".to_owned()));
            let expected: Vec<_> = made.iter().chain(&given[made.len()..]).copied().collect();
            assert_eq!(run, fetch(&expected));
        }
    }

    #[test]
    fn what_the_build_has_made_is_where_it_was() {
        for given in
            [&["--root", "${build-dir}", "--directory", "d", "--name", "n"][..], &["--root", "/a", "--name", "n"]]
        {
            let mut run = fetch(given);
            assert_eq!(download(&mut run), None);
            assert_eq!(run, fetch(given));
        }
    }
}
