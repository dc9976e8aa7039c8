//! The live page, on a real terminal, which `script` makes.

use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use crate::place::{Place, run};

/// Only a failure takes so long.
const LIMIT: Duration = Duration::from_secs(60);

/// What leaves the second screen of a terminal.
const LEFT: &str = "\x1b[?1049l";

/// Notes how the terminal is set, who runs on it, how that ended, and how the terminal is set then.
const SCRIPT: &str = r#"stty rows "$ROWS" cols "$COLS"; stty -g >before
sh -c 'echo $$ >pid; exec "$OC_KV" watch "$@"' sh $ARGUMENTS
echo $? >code; stty -g >after"#;

/// A command on a terminal, ended with the test.
struct Terminal {
    child: Child,
    folder: tempfile::TempDir,
    pieces: Receiver<Vec<u8>>,
    seen: Vec<u8>,
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Terminal {
    fn watch(variables: &[(&str, &str)], arguments: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("script");
        command.args(["-qefc", SCRIPT, "/dev/null"]).current_dir(folder.path());
        command.env("SHELL", "/bin/sh").env("OC_KV", env!("CARGO_BIN_EXE_oc-kv"));
        command.envs([("TERM", "xterm-256color"), ("ROWS", "30"), ("COLS", "90")]);
        command.env("ARGUMENTS", arguments).envs(variables.iter().copied());
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("`script` of util-linux is installed");
        let mut output = child.stdout.take().unwrap();
        let (send, pieces) = channel();
        std::thread::spawn(move || {
            let mut piece = vec![0; 4_096];
            while let Ok(length @ 1..) = output.read(&mut piece) {
                if send.send(piece[..length].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self { child, folder, pieces, seen: Vec::new() }
    }

    fn press(&mut self, keys: &str) {
        self.child.stdin.as_mut().unwrap().write_all(keys.as_bytes()).unwrap();
    }

    fn signal(&self, name: &str) {
        let line = format!("kill -{name} {}", self.told("pid"));
        assert!(Command::new("sh").args(["-c", &line]).status().unwrap().success());
    }

    fn seen(&self) -> String {
        String::from_utf8_lossy(&self.seen).into_owned()
    }

    /// Reads until the terminal got this text, which it did not get before the last such reading.
    fn shows(&mut self, text: &str) {
        self.seen.clear();
        while !self.seen().contains(text) {
            let piece = self.pieces.recv_timeout(LIMIT);
            self.seen.extend(piece.unwrap_or_else(|_| panic!("no {text:?} in {:?}", self.seen())));
        }
    }

    /// Waits for the end, which is that of a command that gave the terminal back.
    fn ends_well(&mut self) {
        while let Ok(piece) = self.pieces.recv_timeout(LIMIT) {
            self.seen.extend(piece);
        }
        assert!(self.child.wait().unwrap().success());
        assert_eq!(self.told("code"), "0", "{}", self.seen());
        assert_eq!(self.told("after"), self.told("before"));
        assert!(self.seen().contains(LEFT), "{}", self.seen());
    }

    fn told(&self, file: &str) -> String {
        let path: PathBuf = self.folder.path().join(file);
        std::fs::read_to_string(path).unwrap().trim().to_owned()
    }
}

pub(crate) fn a_page_is_drawn_and_left(place: &Place) {
    place.ok(&["enqueue", "mails", "1", "--create", "2"]);
    let leave: [&dyn Fn(&mut Terminal); 5] = [
        &|terminal| terminal.press("q"),
        &|terminal| terminal.press("\x03"),
        &|terminal| terminal.signal("TERM"),
        &|terminal| terminal.signal("HUP"),
        &|terminal| terminal.signal("INT"),
    ];
    for leave in leave {
        let mut terminal = Terminal::watch(&[("OC_KV_STORE_URL", place.url())], "");
        terminal.shows("mails");
        terminal.press("\r");
        terminal.shows("partitions");
        leave(&mut terminal);
        terminal.ends_well();
    }
}

#[test]
fn a_store_that_hangs_is_told_holds_no_key_and_comes_back() {
    let place = Place::redis();
    place.ok(&["enqueue", "mails", "1", "--create", "2"]);
    let mut terminal = Terminal::watch(&[("OC_KV_STORE_URL", place.url())], "");
    terminal.shows("mails");
    place.server().pause().unwrap();
    terminal.shows("no answer");
    terminal.press("\r");
    terminal.shows("partitions");
    terminal.press("\x1b");
    place.server().resume().unwrap();
    place.ok(&["enqueue", "zebras", "1", "--create", "2"]);
    terminal.shows("zebras");
    place.server().pause().unwrap();
    terminal.shows("no answer");
    terminal.press("q");
    terminal.ends_well();
    place.server().resume().unwrap();
}

#[test]
fn the_page_has_no_colour() {
    let place = Place::sqlite();
    place.ok(&["enqueue", "mails", "1", "--create", "2"]);
    let variables = [("OC_KV_STORE_URL", place.url()), ("NO_COLOR", "1")];
    let mut terminal = Terminal::watch(&variables, "mails --every 500ms");
    terminal.shows("partitions");
    terminal.press("q");
    terminal.ends_well();
    for colour in (30..38).chain(40..48).chain(90..108) {
        assert!(!terminal.seen().contains(&format!("\x1b[{colour}m")), "{colour}");
    }
    assert!(!terminal.seen().contains("38;5") && !terminal.seen().contains("48;5"));
}

#[test]
fn without_a_terminal_the_list_of_queues_is_named() {
    let place = Place::sqlite();
    for arguments in [&["watch"][..], &["--json", "watch"]] {
        let ended = place.run(arguments);
        assert_eq!((ended.code, &*ended.out), (2, ""), "{}", ended.err);
        assert!(ended.err.contains("`oc-kv queues --json`"), "{}", ended.err);
    }
    let ended = run("", &[("OC_KV_STORE_URL", place.url())], &["watch", "--every", "1ms"]);
    assert_eq!(ended.code, 2, "{}", ended.err);
    assert!(ended.err.contains("expected 500ms to 1h"), "{}", ended.err);
}
