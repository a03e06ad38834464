//! What other users of the machine may not see of a run: passwords on command lines, and what is kept.

mod common;

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};

use common::{Farm, Runner, is_root};
use nix::sys::signal::Signal;

/// A server that wants a password, and then says nothing more. What it is told of who asks comes out of the channel.
fn silent_server() -> (u16, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut silent: Vec<TcpStream> = Vec::new();
        for mut stream in listener.incoming().flatten() {
            let lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
            let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
            match head.iter().find_map(|line| line.strip_prefix("Authorization: ")) {
                None => {
                    let answer = "HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
                    stream.write_all(answer.as_bytes()).unwrap();
                }
                Some(login) => {
                    let _ = sender.send(login.to_owned());
                    silent.push(stream);
                }
            }
        }
    });
    (port, receiver)
}

/// The command lines of all processes that can be read.
fn command_lines() -> Vec<String> {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let lines = processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
    lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " ")).collect()
}

fn below(path: &Path, found: &mut Vec<PathBuf>) {
    found.push(path.to_owned());
    if path.is_dir() && !path.is_symlink() {
        fs::read_dir(path).unwrap().for_each(|entry| below(&entry.unwrap().path(), found));
    }
}

#[test]
fn the_password_of_a_repository_is_in_no_command_line_and_no_file() {
    let farm = Farm::demo();
    let (port, logins) = silent_server();
    let address = format!("git http://me:pa%2Fss-w0rd@127.0.0.1:{port}/shop main demo.cfg");
    farm.edit("buildouts/MANIFEST.cfg", "standalone demo.cfg with=demo", &address);
    let shown = farm.run(&["plan"]).exits(0).says_no("ss-w0rd").out;
    assert!(shown.contains("with FARMOUT_CREDENTIALS=${secret.demo-buildout--url}"), "{shown}");

    let runner = Runner::start(farm.farmout(&["run"]));
    let login = logins.recv_timeout(std::time::Duration::from_secs(120)).unwrap();
    // me:pa/ss-w0rd
    assert_eq!(login, "Basic bWU6cGEvc3MtdzByZA==");
    let lines = command_lines();
    let ours: Vec<&String> = lines.iter().filter(|line| line.contains(&format!("127.0.0.1:{port}"))).collect();
    // farmout itself, and git's program for HTTP, which is given the address by git.
    assert!(ours.iter().any(|line| line.contains("tool fetch git")), "{ours:#?}");
    assert!(ours.iter().any(|line| line.contains("git-remote-http")), "{ours:#?}");
    assert!(!lines.iter().any(|line| line.contains("ss-w0rd")), "{ours:#?}");
    runner.signal(Signal::SIGINT);
    let ran = runner.wait().exits(130).says_no("ss-w0rd");
    assert!(ran.out.contains("fetch"), "{}", ran.out);
    let mut kept = Vec::new();
    below(&farm.latest(), &mut kept);
    assert!(kept.iter().any(|path| path.ends_with("result.json")));
    for path in kept.iter().filter(|path| path.is_file()) {
        assert!(!fs::read_to_string(path).unwrap().contains("ss-w0rd"), "{}", path.display());
    }
}

/// Commands, environments and logs are for who runs farmout, and for the account that steps run as.
#[test]
fn what_is_kept_of_a_run_is_not_for_everybody() {
    let farm = Farm::demo();
    farm.run(&["run"]).exits(0);
    let mut kept = Vec::new();
    for folder in ["runs", "active"] {
        below(&farm.state().join(folder), &mut kept);
    }
    for name in ["result.json", "plan.yaml", "events.jsonl"] {
        assert!(kept.iter().any(|path| path.ends_with(name)), "{name}");
    }
    assert!(kept.iter().any(|path| path.extension().is_some_and(|extension| extension == "log")));
    for path in &kept {
        let metadata = fs::metadata(path).unwrap();
        let mode = metadata.permissions().mode() & 0o777;
        let records = path.ends_with("active");
        let expected = match (is_root() && !records, metadata.is_dir()) {
            (true, true) => 0o750,
            (true, false) => 0o640,
            (false, true) => 0o700,
            (false, false) => 0o600,
        };
        assert_eq!(mode, expected, "{}: {mode:o}", path.display());
        if is_root() && !records {
            let account = nix::unistd::User::from_name("farmout").unwrap().unwrap();
            assert_eq!(metadata.gid(), account.gid.as_raw(), "{}", path.display());
        }
    }
    // The name of the folder is no secret, and git must be able to read that it ignores it.
    let ignored = fs::metadata(farm.state().join(".gitignore")).unwrap().permissions().mode() & 0o777;
    assert_eq!(ignored, 0o644);
}
