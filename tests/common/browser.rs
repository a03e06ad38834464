//! A real browser: Chromium without a window, told what to do over its DevTools protocol.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use camino::Utf8Path;
use serde_json::{Value, json};
use tempfile::TempDir;

/// A browser with one page. It ends when it is dropped.
pub struct Browser {
    process: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    /// Its profile: nothing is left of it.
    _profile: TempDir,
    session: Option<String>,
    calls: u64,
    events: Vec<Value>,
}

/// What Debian and others call it.
const PROGRAMS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

impl Browser {
    /// Starts a browser with a window of this size.
    pub fn start(width: u32, height: u32) -> Self {
        let there = |program: &&&str| {
            Command::new("sh").args(["-c", "command -v \"$0\"", program]).output().unwrap().status.success()
        };
        let program = PROGRAMS.iter().find(there).expect("these tests need Chromium: apt-get install chromium");
        let profile = tempfile::Builder::new().prefix("chromium").tempdir().unwrap();
        let mut command = Command::new("sh");
        // It reads commands from the file with number 3, and answers in the one with number 4.
        command.args(["-c", "exec \"$@\" 3<&0 4>&1 1>&2", "sh", program, "--headless", "--remote-debugging-pipe"]);
        command.args(["--no-first-run", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"]);
        command.arg(format!("--user-data-dir={}", profile.path().display())).env("HOME", profile.path());
        if nix::unistd::geteuid().is_root() {
            command.arg("--no-sandbox");
        }
        command.arg("about:blank").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn().unwrap();
        let (input, output) = (process.stdin.take(), BufReader::new(process.stdout.take().unwrap()));
        let (session, events) = (None, Vec::new());
        let mut browser = Self { process, input, output, _profile: profile, session, calls: 0, events };
        let target = browser.call("Target.createTarget", json!({"url": "about:blank"}));
        let session = browser.call("Target.attachToTarget", json!({"targetId": target["targetId"], "flatten": true}));
        browser.session = Some(session["sessionId"].as_str().unwrap().to_owned());
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.call(&format!("{domain}.enable"), json!({}));
        }
        browser.resize(width, height);
        browser
    }

    /// Gives the page another size.
    pub fn resize(&mut self, width: u32, height: u32) {
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.call("Emulation.setDeviceMetricsOverride", size);
    }

    /// Makes the system prefer `light` or `dark`.
    pub fn prefer(&mut self, scheme: &str) {
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        self.call("Emulation.setEmulatedMedia", json!({"features": features}));
    }

    /// Opens a file, with a fragment or an empty text, and waits until it is loaded.
    pub fn open(&mut self, file: &Utf8Path, fragment: &str) {
        let address = format!("file://{file}{fragment}");
        // The same file with another fragment would not be loaded again.
        self.call("Page.navigate", json!({"url": "about:blank"}));
        self.call("Page.navigate", json!({"url": address}));
        self.until("location.protocol === 'file:' && document.readyState === 'complete'");
    }

    /// The value of an expression, awaited.
    #[track_caller]
    pub fn eval(&mut self, expression: &str) -> Value {
        self.evaluated(expression).unwrap_or_else(|error| panic!("{expression}: {error}"))
    }

    /// The value of an expression, or what the browser says where the page went away meanwhile.
    #[track_caller]
    fn evaluated(&mut self, expression: &str) -> Result<Value, Value> {
        let asked = json!({"expression": expression, "awaitPromise": true, "returnByValue": true, "userGesture": true});
        let answer = self.ask("Runtime.evaluate", asked)?;
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {}", answer["exceptionDetails"]);
        Ok(answer["result"]["value"].clone())
    }

    /// Waits until an expression is true. While one page gives way to another there is nothing that could answer: that is
    /// "not yet", too.
    #[track_caller]
    pub fn until(&mut self, expression: &str) {
        let mut last = json!(null);
        for _ in 0..600 {
            match self.evaluated(expression) {
                Ok(Value::Bool(true)) => return,
                Ok(value) | Err(value) => last = value,
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        panic!("not within half a minute: {expression}; last {last}; {:?}", self.complaints());
    }

    /// Presses a key: a character, or a name such as `Enter`.
    pub fn press(&mut self, key: &str) {
        self.press_with(key, 0);
    }

    /// Presses a key while Shift is held.
    pub fn press_shift(&mut self, key: &str) {
        self.press_with(key, 8);
    }

    fn press_with(&mut self, key: &str, modifiers: u32) {
        let (text, code) = match key {
            "Enter" => ("\r", 13),
            "Escape" => ("", 27),
            "Tab" => ("", 9),
            key => (key, 0),
        };
        let mut pressed = json!({"type": "keyDown", "key": key, "modifiers": modifiers, "windowsVirtualKeyCode": code});
        if !text.is_empty() {
            pressed["text"] = json!(text);
        }
        self.call("Input.dispatchKeyEvent", pressed);
        self.call("Input.dispatchKeyEvent", json!({"type": "keyUp", "key": key, "windowsVirtualKeyCode": code}));
    }

    /// Writes a text where the focus is.
    pub fn write(&mut self, text: &str) {
        self.call("Input.insertText", json!({"text": text}));
    }

    /// What the page complained of: exceptions, and messages in the console.
    pub fn complaints(&self) -> Vec<String> {
        let wanted = ["Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded"];
        let complaints = self.events.iter().filter(|event| wanted.iter().any(|name| event["method"] == *name));
        complaints.map(|event| event["params"].to_string()).collect()
    }

    /// The addresses of all that was fetched.
    pub fn fetched(&self) -> Vec<String> {
        let requests = self.events.iter().filter(|event| event["method"] == "Network.requestWillBeSent");
        requests.map(|event| event["params"]["request"]["url"].as_str().unwrap().to_owned()).collect()
    }

    /// Calls a method of the protocol, and returns its answer.
    #[track_caller]
    pub fn call(&mut self, method: &str, parameters: Value) -> Value {
        self.ask(method, parameters).unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    /// Calls a method of the protocol, and returns its answer or its error.
    fn ask(&mut self, method: &str, parameters: Value) -> Result<Value, Value> {
        self.calls += 1;
        let mut message = json!({"id": self.calls, "method": method, "params": parameters});
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        let input = self.input.as_mut().unwrap();
        input.write_all(format!("{message}\0").as_bytes()).unwrap();
        input.flush().unwrap();
        loop {
            let mut bytes = Vec::new();
            self.output.read_until(0, &mut bytes).unwrap();
            assert_eq!(bytes.pop(), Some(0), "the browser ended");
            let mut answer: Value = serde_json::from_slice(&bytes).unwrap();
            if answer["id"] == json!(self.calls) {
                return if answer["error"].is_null() {
                    Ok(answer["result"].take())
                } else {
                    Err(answer["error"].take())
                };
            }
            self.events.push(answer);
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Without anybody who tells it what to do, it ends by itself, and so do the processes that it started.
        drop(self.input.take());
        for _ in 0..100 {
            if matches!(self.process.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
