//! What `farm.yaml` says of notifications and of old runs: nodes in, typed entries out.

use lettre::message::Mailbox;

use crate::diagnostic::problem;
use crate::model::{Each, Mail, Means, Notification, Occasion, Retention, Via, timeout};
use crate::source::Span;
use crate::syntax::yaml::{Decoder, Fields, Node};

/// Reads a notification. The program that it calls is added to `programs` where it is one of the farm's own.
pub(super) fn notification(
    decoder: &mut Decoder<'_>,
    node: &Node,
    programs: &mut Vec<(String, Span)>,
) -> Option<Notification> {
    let fields = decoder.fields(node, "a notification", &["on", "each", "timeout", "command", "mail"])?;
    let on = fields.required(decoder, "on").map(|node| {
        let occasions = decoder.list(node, "a list of occasions", |decoder, node| decoder.choice(node, &Occasion::ALL));
        (node, occasions)
    });
    let on = on.and_then(|(node, on)| if on.is_empty() { decoder.empty("one occasion", node) } else { Some(on) });
    let each = fields.get("each").map_or(Some(Each::default()), |node| decoder.choice(node, &Each::ALL));
    let seconds = fields.get("timeout").map(|node| decoder.number(node, 1, "a whole number of seconds, at least 1"));
    let means = match (fields.get("command"), fields.get("mail")) {
        (Some(command), None) => self::command(decoder, command, programs),
        (None, Some(node)) => {
            let only_missing = on.as_ref().is_some_and(|on| on.iter().all(|on| *on == Occasion::Missing));
            mail(decoder, node, only_missing).map(Means::Mail)
        }
        (None, None) => {
            decoder.error(problem::Farm::NoMeans, place(&fields, &["command", "mail", "on"]));
            None
        }
        (Some(_), Some(_)) => {
            decoder.error(problem::Farm::TwoMeans, place(&fields, &["mail"]));
            None
        }
    };
    Some(Notification { on: on?, each: each?, timeout: seconds.unwrap_or(Some(timeout()))?, means: means? })
}

/// Where the first of these keys stands.
fn place(fields: &Fields<'_>, keys: &[&str]) -> Span {
    keys.iter().find_map(|key| fields.key(key)).unwrap_or(fields.span())
}

fn command(decoder: &mut Decoder<'_>, node: &Node, programs: &mut Vec<(String, Span)>) -> Option<Means> {
    let errors = decoder.errors();
    let words = decoder.list(node, "a program and its arguments", |decoder, node| decoder.text(node).cloned());
    match words.first() {
        Some(program) if program.trim().is_empty() => {
            let (expected, found) = ("the name of a program".to_owned(), "an empty text".to_owned());
            decoder.error(problem::Farm::Value { expected, found, help: None }, program.whole());
        }
        Some(program) if program.contains('/') => programs.push((program.to_string(), program.whole())),
        None if decoder.errors() == errors => return decoder.empty("a program", node),
        _ => {}
    }
    let words = words.iter().map(|word| word.to_string()).collect();
    (decoder.errors() == errors).then_some(Means::Command(words))
}

fn mail(decoder: &mut Decoder<'_>, node: &Node, only_missing: bool) -> Option<Mail> {
    let errors = decoder.errors();
    let fields = decoder.fields(node, "a mail", &["to", "from", "via"])?;
    let to = if only_missing { fields.get("to") } else { fields.required(decoder, "to") };
    let to = to.map(|node| {
        let before = decoder.errors();
        let to = decoder.list(node, "a list of mail addresses", address);
        if to.is_empty() && decoder.errors() == before { decoder.empty("one mail address", node) } else { Some(to) }
    });
    let from = fields.required(decoder, "from").and_then(|node| address(decoder, node));
    let via = fields.get("via").map(|node| {
        let expected = "`sendmail` or `smtp://HOST[:PORT]`, without a password";
        let text = decoder.word(node, expected)?;
        Via::parse(text).or_else(|| decoder.unexpected(expected, node))
    });
    let (to, via) = (to.unwrap_or(Some(Vec::new()))?, via.unwrap_or(Some(Via::default()))?);
    (decoder.errors() == errors).then_some(Mail { to, from: from?, via })
}

fn address(decoder: &mut Decoder<'_>, node: &Node) -> Option<String> {
    const EXPECTED: &str = "a mail address such as `builds@shop.example`";
    let text = decoder.word(node, EXPECTED)?;
    text.parse::<Mailbox>().ok().map(|_| text.to_string()).or_else(|| decoder.unexpected(EXPECTED, node))
}

/// Reads how much of earlier runs is kept.
pub(super) fn retention(decoder: &mut Decoder<'_>, node: &Node) -> Option<Retention> {
    let fields = decoder.fields(node, "`keep`", &["runs", "days", "size", "log"])?;
    let number = |decoder: &mut Decoder<'_>, key| {
        fields.get(key).and_then(|node| decoder.number(node, 1, "a whole number, at least 1"))
    };
    let (runs, days) = (number(decoder, "runs"), number(decoder, "days"));
    let size = |decoder: &mut Decoder<'_>, key| {
        fields.get(key).and_then(|node| {
            let expected = "a size such as `10 GiB` or `500 MB`";
            decoder.word(node, expected)?.parse().ok().or_else(|| decoder.unexpected(expected, node))
        })
    };
    let (size, log) = (size(decoder, "size"), size(decoder, "log"));
    Some(Retention { runs, days, size, log })
}
