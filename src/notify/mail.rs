//! A document in, a mail for people out; and the two ways in which it leaves this machine.

use std::fmt::Write as _;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message};
use lettre::{SmtpTransport, Transport as _};

use super::Origin;
use super::call::{Daemons, Trouble, call};
use super::document::{BuilderNews, Document, Kind};
use crate::model::{Mail, Occasion, Via};
use crate::report::duration;
use crate::runner::{Outcome, Veil};

/// From how many bytes on a mail has no more excerpts of logs.
const ENOUGH: usize = 128 * 1024;
/// Where mail servers put their `sendmail`, which is on few users' PATH.
const SENDMAIL: [&str; 2] = ["/usr/sbin/sendmail", "/usr/lib/sendmail"];
/// Between two looks at whether the user wants to wait.
const GLANCE: Duration = Duration::from_millis(100);

/// Sends the document, to `more` besides those whom the mail names. To nobody at all, it sends nothing.
pub(super) fn send(
    origin: &Origin,
    veil: &Veil,
    mail: &Mail,
    more: &[String],
    document: &Document,
    limit: Duration,
    stop: &dyn Fn() -> bool,
) -> Result<(), Trouble> {
    let mut to = mail.to.clone();
    to.extend(more.iter().filter(|more| !mail.to.contains(more)).cloned());
    if to.is_empty() {
        return Ok(());
    }
    let message = message(mail, &to, &veil.text(&subject(document)), veil.text(&body(document)));
    let message = message.map_err(Trouble::Failed)?;
    match &mail.via {
        Via::Sendmail => {
            let run = sendmail(origin, &message);
            // A program of this machine reads lines of this machine.
            let text = message.formatted();
            let text: Vec<u8> = String::from_utf8_lossy(&text).replace("\r\n", "\n").into_bytes();
            call(origin, &run, &text, limit, Daemons::Stay, stop)
        }
        Via::Smtp { host, port } => smtp(host, *port, message, limit, stop),
    }
}

fn message(mail: &Mail, to: &[String], subject: &str, body: String) -> Result<Message, String> {
    let mailbox =
        |text: &String| text.parse::<Mailbox>().map_err(|error| format!("`{text}` is no mail address: {error}"));
    let mut builder = Message::builder().from(mailbox(&mail.from)?).subject(subject).message_id(None);
    for address in to {
        builder = builder.to(mailbox(address)?);
    }
    let made = builder.header(ContentType::TEXT_PLAIN).body(body);
    let mut message = made.map_err(|error| format!("the mail cannot be written: {error}"))?;
    // So that no absent reader's machine answers.
    let name = HeaderName::new_from_ascii_str("Auto-Submitted");
    message.headers_mut().insert_raw(HeaderValue::new(name, "auto-generated".to_owned()));
    Ok(message)
}

fn sendmail(origin: &Origin, message: &Message) -> Vec<String> {
    let path = origin.environment.iter().find(|(name, _)| name == "PATH");
    let on_path =
        path.is_some_and(|(_, path)| std::env::split_paths(path).any(|folder| folder.join("sendmail").is_file()));
    let elsewhere = SENDMAIL.iter().find(|path| camino::Utf8Path::new(path).is_file());
    let program = elsewhere.filter(|_| !on_path).map_or("sendmail", |path| path);
    let mut run = vec![program.to_owned(), "-i".to_owned()];
    if let Some(from) = message.envelope().from() {
        run.extend(["-f".to_owned(), from.to_string()]);
    }
    run.push("--".to_owned());
    run.extend(message.envelope().to().iter().map(ToString::to_string));
    run
}

/// Sends by a server, in a thread of its own: one that answers a byte a minute keeps to every limit of a single answer.
fn smtp(host: &str, port: u16, message: Message, limit: Duration, stop: &dyn Fn() -> bool) -> Result<(), Trouble> {
    // Its own limit, of a single answer, must not come before the whole one: that says more.
    let transport = SmtpTransport::builder_dangerous(host).port(port).timeout(Some(2 * limit)).build();
    let (tell, sent) = mpsc::channel();
    std::thread::spawn(move || {
        // Whoever waited may have given up.
        let _ = tell.send(transport.send(&message).map(drop).map_err(|error| said(&error)));
    });
    let end = Instant::now() + limit;
    loop {
        match sent.recv_timeout(GLANCE) {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(problem)) => return Err(Trouble::Failed(problem)),
            Err(RecvTimeoutError::Disconnected) => {
                return Err(Trouble::Failed("the mail was lost on its way".to_owned()));
            }
            Err(RecvTimeoutError::Timeout) if stop() => return Err(Trouble::Stopped),
            Err(RecvTimeoutError::Timeout) if Instant::now() >= end => {
                return Err(Trouble::Hung(format!("given up after {}, its time limit", duration(limit))));
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

/// An error with what is behind it.
fn said(error: &lettre::transport::smtp::Error) -> String {
    let mut text = error.to_string();
    let mut behind = std::error::Error::source(error);
    while let Some(error) = behind {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        behind = error.source();
    }
    text
}

fn subject(document: &Document) -> String {
    let slave = &document.slave;
    let said = match (document.event, document.builders.as_slice()) {
        (Kind::Missing, _) => return format!("[farmout] {slave} cannot be used"),
        (_, [one]) => format!("{} {}", one.builder, word(one.event)),
        (_, all) => {
            let count = |event| all.iter().filter(|news| news.event == event).count();
            let counts = [Occasion::Failure, Occasion::Fixed, Occasion::Success].map(|event| (count(event), event));
            let counts = counts.iter().filter(|(count, _)| *count > 0);
            let counts: Vec<String> = counts.map(|(count, event)| format!("{count} {}", plural(*event))).collect();
            counts.join(", ")
        }
    };
    format!("[farmout] {slave}: {said}")
}

fn word(event: Occasion) -> &'static str {
    match event {
        Occasion::Failure => "failed",
        Occasion::Fixed => "is fixed",
        Occasion::Success => "went well",
        Occasion::Missing => "is missing",
    }
}

fn plural(event: Occasion) -> &'static str {
    if event == Occasion::Fixed { "are fixed" } else { word(event) }
}

/// The text, in which nothing is said that a program would not get as well.
fn body(document: &Document) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = write_body(&mut text, document);
    text
}

fn write_body(text: &mut String, document: &Document) -> std::fmt::Result {
    let time = |seconds: f64| duration(Duration::try_from_secs_f64(seconds).unwrap_or_default());
    if let Some(problem) = &document.problem {
        writeln!(text, "The slave {} cannot be used, so nothing was built on it:\n\n  {problem}\n", document.slave)?;
    }
    if let Some(run) = &document.run {
        let outcome = document.outcome.map_or("", Outcome::word);
        let took = document.seconds.map(|seconds| format!(" after {}", time(seconds))).unwrap_or_default();
        let count = document.builders.len();
        let plural = if document.total.unwrap_or(count) == 1 { "" } else { "s" };
        let total = document.total.map(|total| format!(" of {total}")).unwrap_or_default();
        let ended = if outcome.is_empty() { String::new() } else { format!(": {outcome}{took}") };
        writeln!(text, "run {run} on {}{ended}", document.slave)?;
        writeln!(text, "told of here: {count}{total} builder{plural}\n")?;
    }
    for news in &document.builders {
        write_builder(text, news, &time(news.seconds))?;
    }
    if let Some(folder) = &document.folder {
        writeln!(text, "logs: {folder}")?;
    }
    writeln!(text, "farm: {}", document.farm)
}

fn write_builder(text: &mut String, news: &BuilderNews, took: &str) -> std::fmt::Result {
    let before = news.before.map(|before| format!(", the time before: {}", before.word())).unwrap_or_default();
    writeln!(text, "{} {} after {took}{before}", news.builder, word(news.event))?;
    // Where steps are told of, one of them is the reason.
    if let Some(reason) = news.reason.as_ref().filter(|_| news.steps.is_empty()) {
        writeln!(text, "  {reason}")?;
    }
    for (name, value) in &news.properties {
        writeln!(text, "  {name}: {value}")?;
    }
    for step in &news.steps {
        let reason = step.reason.as_deref().unwrap_or_default();
        writeln!(text, "  {} ({}): {reason}", step.step, step.outcome.word())?;
        if let Some(log) = &step.log {
            writeln!(text, "    {log}")?;
        }
        if text.len() >= ENOUGH {
            continue;
        }
        for line in &step.excerpt {
            writeln!(text, "    | {line}")?;
        }
    }
    writeln!(text)
}
