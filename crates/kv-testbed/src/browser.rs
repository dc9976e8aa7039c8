//! A real browser without a window, driven by its own protocol through a pipe.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::error::{Error, Result};
use crate::provision::browser_binary;
use crate::wait::patiently;

/// Far longer than anything takes that a test asks for.
const LIMIT: Duration = Duration::from_secs(60);
/// Messages that the browser may be ahead; then it waits.
const AHEAD: usize = 1_024;
/// Events that are kept for the test.
const MAX_EVENTS: usize = 10_000;
/// Becomes the browser, which reads from 3 and writes to 4.
const PIPED: &str = r#"exec "$@" 3<&0 4>&1 0</dev/null 1>/dev/null 2>/dev/null"#;

const ARGUMENTS: [&str; 6] = [
    "--remote-debugging-pipe",
    // A container often has neither namespaces for the sandbox nor shared memory.
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--no-first-run",
    // Nothing is asked of another host.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
];

/// A browser with one page, ended when this value is dropped.
///
/// Keys are sent to the page as a keyboard sends them, so that it works without a script of the page,
/// and a test shows that it works without a mouse.
#[derive(Debug)]
pub struct Browser {
    child: Child,
    input: ChildStdin,
    messages: Receiver<Value>,
    events: Vec<Value>,
    session: Option<String>,
    last: u64,
    _profile: TempDir,
}

impl Browser {
    /// Starts a browser with an empty page.
    ///
    /// # Errors
    /// When there is none, or it does not answer.
    pub fn start() -> Result<Self> {
        let profile = tempfile::tempdir().map_err(Error::context("cannot make a profile"))?;
        let mut child = spawn(profile.path())?;
        let (input, output) = child.stdin.take().zip(child.stdout.take()).ok_or_else(closed)?;
        let messages = read(output);
        let mut browser = Self {
            child,
            input,
            messages,
            events: Vec::new(),
            session: None,
            last: 0,
            _profile: profile,
        };
        let page = browser.command("Target.createTarget", &json!({ "url": "about:blank" }))?;
        let attach = json!({ "targetId": page["targetId"], "flatten": true });
        let attached = browser.command("Target.attachToTarget", &attach)?;
        browser.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page.enable", "DOM.enable", "Log.enable", "Runtime.enable"] {
            browser.command(domain, &json!({}))?;
        }
        Ok(browser)
    }

    /// Runs one command of the protocol, and returns its result.
    ///
    /// # Errors
    /// What the browser says is wrong; when it does not answer.
    pub fn command(&mut self, method: &str, parameters: &Value) -> Result<Value> {
        self.last += 1;
        let id = self.last;
        let mut message = json!({ "id": id, "method": method, "params": parameters });
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        let sent = self.input.write_all(format!("{message}\0").as_bytes());
        sent.map_err(Error::context("the browser reads nothing"))?;
        loop {
            let message = self.receive(method)?;
            if message["id"] != id {
                self.events.truncate(MAX_EVENTS - 1);
                self.events.push(message);
                continue;
            }
            return match message.get("error") {
                Some(error) => Err(Error::new(format!("{method}: {error}"))),
                None => Ok(message["result"].clone()),
            };
        }
    }

    fn receive(&self, method: &str) -> Result<Value> {
        self.messages.recv_timeout(LIMIT).map_err(|error| match error {
            RecvTimeoutError::Timeout => Error::new(format!("{method}: the browser says nothing")),
            RecvTimeoutError::Disconnected => closed(),
        })
    }

    /// Goes to an address, and waits until the page is there.
    ///
    /// # Errors
    /// When the page does not come.
    pub fn go(&mut self, address: &str) -> Result<()> {
        let went = self.command("Page.navigate", &json!({ "url": address }))?;
        if let Some(error) = went["errorText"].as_str() {
            return Err(Error::new(format!("{address}: {error}")));
        }
        self.wait_for(|browser| {
            let state = browser.evaluate("document.readyState").ok()?;
            (state == "complete").then_some(())
        })
    }

    /// The page as it is now.
    ///
    /// # Errors
    /// When the browser does not answer.
    pub fn html(&mut self) -> Result<String> {
        let root = self.command("DOM.getDocument", &json!({}))?["root"]["nodeId"].clone();
        let html = self.command("DOM.getOuterHTML", &json!({ "nodeId": root }))?;
        Ok(html["outerHTML"].as_str().unwrap_or_default().to_owned())
    }

    /// Waits until the page contains a text.
    ///
    /// # Errors
    /// When it does not come; the page is in the error.
    pub fn wait_for_text(&mut self, text: &str) -> Result<()> {
        let found = self.wait_for(|browser| browser.html().ok()?.contains(text).then_some(()));
        match found {
            Ok(()) => Ok(()),
            Err(_) => Err(Error::new(format!("{text:?} did not come into {}", self.html()?))),
        }
    }

    fn wait_for(&mut self, mut probe: impl FnMut(&mut Self) -> Option<()>) -> Result<()> {
        patiently(LIMIT, || probe(self)).ok_or_else(|| Error::new("the page did not come so far"))
    }

    /// What an expression of JavaScript yields in the page.
    ///
    /// # Errors
    /// When it throws.
    pub fn evaluate(&mut self, expression: &str) -> Result<Value> {
        let asked = json!({ "expression": expression, "returnByValue": true });
        let answer = self.command("Runtime.evaluate", &asked)?;
        match answer.get("exceptionDetails") {
            Some(thrown) => Err(Error::new(format!("{expression}: {thrown}"))),
            None => Ok(answer["result"]["value"].clone()),
        }
    }

    /// Moves the focus to the first element that a selector finds, and presses a key: `Enter` or ` `.
    ///
    /// # Errors
    /// When there is no such element, or it takes no focus.
    pub fn press(&mut self, selector: &str, key: &str) -> Result<()> {
        self.focus(selector)?;
        let (text, code) = if key == "Enter" { ("\r", 13) } else { (key, 32) };
        for kind in ["keyDown", "keyUp"] {
            let event =
                json!({ "type": kind, "key": key, "text": text, "windowsVirtualKeyCode": code });
            self.command("Input.dispatchKeyEvent", &event)?;
        }
        Ok(())
    }

    /// Moves the focus to an element, and types a text.
    ///
    /// # Errors
    /// As [`press`](Self::press).
    pub fn type_into(&mut self, selector: &str, text: &str) -> Result<()> {
        self.focus(selector)?;
        self.command("Input.insertText", &json!({ "text": text })).map(drop)
    }

    /// Waits for the element, because a page may be there in part, and gives it the focus.
    fn focus(&mut self, selector: &str) -> Result<()> {
        let found = self.wait_for(|browser| browser.try_focus(selector).ok());
        match found {
            Ok(()) => Ok(()),
            Err(_) => Err(Error::new(format!("{selector:?} is not in {}", self.html()?))),
        }
    }

    fn try_focus(&mut self, selector: &str) -> Result<()> {
        let root = self.command("DOM.getDocument", &json!({}))?["root"]["nodeId"].clone();
        let asked = json!({ "nodeId": root, "selector": selector });
        let found = self.command("DOM.querySelector", &asked)?["nodeId"].clone();
        self.command("DOM.focus", &json!({ "nodeId": found })).map(drop)
    }

    /// The page as a picture: PNG, of a window with this width and height in pixels.
    ///
    /// # Errors
    /// When the browser does not answer.
    pub fn screenshot(&mut self, width: u32, height: u32) -> Result<Vec<u8>> {
        let window =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.command("Emulation.setDeviceMetricsOverride", &window)?;
        let answer = self.command("Page.captureScreenshot", &json!({ "format": "png" }))?;
        let text = answer["data"].as_str().unwrap_or_default();
        BASE64_STANDARD.decode(text).map_err(Error::context("the browser sent no picture"))
    }

    /// What the browser complained about so far: errors of scripts, and what a policy forbade.
    ///
    /// # Errors
    /// When the browser does not answer.
    pub fn complaints(&mut self) -> Result<Vec<String>> {
        // An answer comes after every event that was before it.
        self.evaluate("0")?;
        let is_complaint = |event: &&Value| match event["method"].as_str() {
            Some("Log.entryAdded") => event["params"]["entry"]["level"] == "error",
            Some("Runtime.exceptionThrown") => true,
            _ => false,
        };
        let complaints = self.events.iter().filter(is_complaint);
        Ok(complaints.map(|event| event["params"].to_string()).collect())
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.command("Browser.close", &json!({}));
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(profile: &Path) -> Result<Child> {
    let binary = browser_binary()?;
    let mut command = Command::new("sh");
    command.args(["-c", PIPED, "sh"]).arg(binary.server()).args(ARGUMENTS);
    command.arg(format!("--user-data-dir={}", profile.display()));
    command.envs(binary.library_path().map(|value| ("LD_LIBRARY_PATH", value)));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    command.spawn().map_err(Error::context("cannot start the browser"))
}

/// Reads messages, each of which ends with a null byte, until the browser ends.
fn read(output: ChildStdout) -> Receiver<Value> {
    let (sender, receiver) = sync_channel(AHEAD);
    std::thread::spawn(move || {
        for message in BufReader::new(output).split(0).map_while(std::result::Result::ok) {
            let Ok(message) = serde_json::from_slice(&message) else { return };
            if sender.send(message).is_err() {
                return;
            }
        }
    });
    receiver
}

fn closed() -> Error {
    Error::new("the browser has ended")
}
