//! The live page and the metrics.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::place::{Place, run};

pub(crate) fn metrics_are_printed(place: &Place) {
    place.ok(&["enqueue", "mails", "1", "--create", "2"]);
    let text = place.ok(&["metrics"]);
    for line in ["oc_kv_up 1", "oc_kv_queue_jobs{queue=\"mails\",state=\"ready\"} 1"] {
        assert!(text.lines().any(|own| own == line), "{line} is not in {text}");
    }
}

/// A served page, ended with the test.
struct Served(Child);

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) fn a_dashboard_is_served_to_this_machine(place: &Place) {
    place.ok(&["enqueue", "mails", "1", "--create", "2"]);
    let mut command = Command::new(env!("CARGO_BIN_EXE_oc-kv"));
    command.args(["dashboard", "--listen", "127.0.0.1:0"]).env_clear();
    command.env("OC_KV_STORE_URL", place.url()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut served = Served(command.spawn().unwrap());
    let mut line = String::new();
    BufReader::new(served.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address =
        line.trim().strip_prefix("the dashboard is at http://").unwrap().trim_end_matches('/');
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    write!(stream, "GET / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    let mut page = String::new();
    stream.read_to_string(&mut page).unwrap();
    assert!(page.starts_with("HTTP/1.1 200") && page.contains("mails"), "{page}");
}

#[test]
fn a_dashboard_for_other_machines_needs_a_token() {
    let ended = run("", &[], &["dashboard", "--listen", "0.0.0.0:0"]);
    assert_eq!(ended.code, 2, "{}", ended.err);
    assert!(ended.err.contains("--token-file"), "{}", ended.err);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "short\n").unwrap();
    let file = file.to_str().unwrap();
    let ended = run("", &[], &["dashboard", "--listen", "0.0.0.0:0", "--token-file", file]);
    assert_eq!(ended.code, 2, "{}", ended.err);
    assert!(ended.err.contains("16 bytes") && !ended.err.contains("short\n"), "{}", ended.err);
}
