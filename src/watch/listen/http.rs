//! One request of a connection in, one answer out; both in a bounded time.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

/// The longest head of a request, in bytes.
const HEAD: usize = 32 << 10;
/// The most fields of a head.
const FIELDS: usize = 100;
/// The longest body: GitHub sends nothing that is longer.
const BODY: usize = 25 << 20;
/// How long it may take, at the end of the time, to read what has come already.
const ARREARS: Duration = Duration::from_secs(5);
const GLANCE: Duration = Duration::from_millis(1);
/// How much of a request that was refused is read, so that its sender comes to read the answer.
const REST: usize = 1 << 20;
/// How long it may take.
const REST_TIME: Duration = Duration::from_secs(1);

/// A request.
#[derive(Debug, Default)]
pub(super) struct Request {
    pub(super) method: String,
    /// Without a query.
    pub(super) path: String,
    fields: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

/// Why there is no request.
#[derive(Debug)]
pub(super) enum Refused {
    /// Nobody waits for an answer.
    Gone,
    /// The answer.
    With(u16, &'static str),
}

impl Request {
    /// A field of the head, if it is there once.
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        let mut values = self.fields.iter().filter(|(field, _)| field.eq_ignore_ascii_case(name));
        let (_, value) = values.next()?;
        values.next().is_none().then_some(value)
    }

    #[cfg(test)]
    pub(super) fn new(path: &str, fields: &[(&str, &str)], body: &[u8]) -> Self {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self { method: "POST".to_owned(), path: path.to_owned(), fields, body: body.to_vec() }
    }
}

/// Reads a request, which must be there whole at the end of the time.
pub(super) fn read(stream: &mut TcpStream, end: Instant) -> Result<Request, Refused> {
    stream.set_nonblocking(false).map_err(|_| Refused::Gone)?;
    let mut bytes = Vec::new();
    let (mut request, begin) = loop {
        if more(stream, &mut bytes, end)? == 0 {
            // Many a look at a port comes and goes without a word.
            return Err(if bytes.is_empty() { Refused::Gone } else { Refused::With(400, "the request is cut off") });
        }
        if let Some(head) = head(&bytes)? {
            break head;
        }
        if bytes.len() > HEAD {
            return Err(Refused::With(431, "the head of the request is too long"));
        }
    };
    let length = length(&request)?;
    if request.field("expect").is_some_and(|value| value.eq_ignore_ascii_case("100-continue")) {
        let _ =
            stream.set_write_timeout(Some(REST_TIME)).and_then(|()| stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n"));
    }
    bytes.drain(..begin);
    while bytes.len() < length {
        if more(stream, &mut bytes, end)? == 0 {
            return Err(Refused::With(400, "the body of the request is cut off"));
        }
    }
    bytes.truncate(length);
    request.body = bytes;
    Ok(request)
}

/// Reads what there is, or comes in time.
fn more(stream: &mut TcpStream, bytes: &mut Vec<u8>, end: Instant) -> Result<usize, Refused> {
    const LATE: Refused = Refused::With(408, "the request takes too long");
    let mut buffer = [0; 16 << 10];
    loop {
        let now = Instant::now();
        if now >= end + ARREARS {
            return Err(LATE);
        }
        // What has come while others were slow is in time.
        let left = end.saturating_duration_since(now).max(GLANCE);
        stream.set_read_timeout(Some(left)).map_err(|_| Refused::Gone)?;
        match stream.read(&mut buffer) {
            Ok(count) => {
                bytes.extend_from_slice(&buffer[..count]);
                return Ok(count);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                return Err(LATE);
            }
            Err(_) => return Err(Refused::Gone),
        }
    }
}

/// The head, once it is whole, and where the body begins.
fn head(bytes: &[u8]) -> Result<Option<(Request, usize)>, Refused> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS];
    let mut parsed = httparse::Request::new(&mut fields);
    let begin = match parsed.parse(bytes) {
        Ok(httparse::Status::Complete(begin)) => begin,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(Refused::With(431, "the request has too many fields")),
        Err(_) => return Err(Refused::With(400, "this is no request of HTTP/1.1")),
    };
    let path = parsed.path.unwrap_or("/");
    let field =
        |field: &httparse::Header<'_>| (field.name.to_owned(), String::from_utf8_lossy(field.value).trim().to_owned());
    let request = Request {
        method: parsed.method.unwrap_or_default().to_owned(),
        path: path.split(['?', '#']).next().unwrap_or(path).to_owned(),
        fields: parsed.headers.iter().map(field).collect(),
        body: Vec::new(),
    };
    Ok(Some((request, begin)))
}

/// How long the body is.
fn length(request: &Request) -> Result<usize, Refused> {
    let has = |name: &str| request.fields.iter().any(|(field, _)| field.eq_ignore_ascii_case(name));
    if has("transfer-encoding") {
        return Err(Refused::With(411, "the length of the body is not said (Content-Length)"));
    }
    if !has("content-length") {
        return if request.method == "POST" {
            Err(Refused::With(411, "the length of the body is not said (Content-Length)"))
        } else {
            Ok(0)
        };
    }
    let length = request.field("content-length").filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    match length.map(str::parse::<usize>) {
        Some(Ok(length)) if length <= BODY => Ok(length),
        Some(_) => Err(Refused::With(413, "the body is longer than 25 MiB")),
        None => Err(Refused::With(400, "Content-Length is no number")),
    }
}

/// Answers with a line, and ends the connection.
pub(super) fn answer(stream: &mut TcpStream, status: u16, line: &str, time: Duration) {
    let sent = stream.set_write_timeout(Some(time)).and_then(|()| stream.write_all(&text(status, line)));
    if sent.is_err() || stream.shutdown(Shutdown::Write).is_err() || status < 400 {
        return;
    }
    // A connection that is closed with something unread takes the answer with it.
    let (mut rest, end) = (Vec::new(), Instant::now() + REST_TIME);
    while rest.len() < REST && more(stream, &mut rest, end).is_ok_and(|count| count > 0) {}
}

/// Answers if that takes no time.
pub(super) fn answer_at_once(stream: &mut TcpStream, status: u16, line: &str) {
    let _ = stream.set_nonblocking(true).and_then(|()| stream.write_all(&text(status, line)));
}

fn text(status: u16, line: &str) -> Vec<u8> {
    let reason = match status {
        200 => "OK",
        400 => "Bad Request",
        401 => "Unauthorized",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        411 => "Length Required",
        413 => "Content Too Large",
        422 => "Unprocessable Content",
        431 => "Request Header Fields Too Large",
        _ => "Service Unavailable",
    };
    let allow = if status == 405 { "Allow: POST\r\n" } else { "" };
    format!(
        "HTTP/1.1 {status} {reason}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\n{allow}\
         Connection: close\r\n\r\n{line}\n",
        line.len() + 1
    )
    .into_bytes()
}
