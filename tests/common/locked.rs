//! A web server that wants a password, and has nothing.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::sync::mpsc;

/// Starts it: its address, and the password that each request has; none if it has none.
pub fn locked_server() -> (String, mpsc::Receiver<Option<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
            let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
            let mut given = head.iter().filter_map(|line| line.split_once(": Basic "));
            let given = given.find(|(name, _)| name.eq_ignore_ascii_case("authorization"));
            let status = match given {
                Some(_) => "404 Not Found",
                None => "401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"",
            };
            let _ = sender.send(given.map(|(_, given)| given.to_owned()));
            let _ = write!(stream, "HTTP/1.0 {status}\r\nContent-Length: 0\r\n\r\n");
        }
    });
    (address, receiver)
}
