//! All that a process logs, through `tracing` and through `log`.

use std::io;
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

use tracing_subscriber::filter::LevelFilter;

static LOGS: Mutex<Logs> = Mutex::new(Logs { events: String::new(), records: Vec::new() });

/// What was logged so far.
pub(crate) struct Logs {
    /// What came through `tracing`, as lines.
    pub(crate) events: String,
    /// What came through `log`: the target, and a line.
    pub(crate) records: Vec<(String, String)>,
}

/// What was logged so far; nothing is logged while it is held.
pub(crate) fn logs() -> MutexGuard<'static, Logs> {
    LOGS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes over all logs of the process, of every level, once.
pub(crate) fn capture_all_logs() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        log::set_logger(&Capture).unwrap();
        log::set_max_level(log::LevelFilter::Trace);
        let all = tracing_subscriber::fmt().with_max_level(LevelFilter::TRACE).with_ansi(false);
        all.with_writer(|| Capture).init();
    });
}

struct Capture;

impl io::Write for Capture {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        logs().events.push_str(&String::from_utf8_lossy(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl log::Log for Capture {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let line = format!("{} {} {}", record.level(), record.target(), record.args());
        logs().records.push((record.target().to_owned(), line));
    }

    fn flush(&self) {}
}
