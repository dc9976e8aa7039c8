//! What is shown: the last news, which queue is chosen, and what a key does to that.

use std::sync::Arc;
use std::time::Duration;

use kv_dashboard::{QueueSample, Snapshot};
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::feed::News;
use super::reading::{Found, Reading};

/// How many rows the keys for a page go.
const LEAP: usize = 10;

/// What follows from a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Stay,
    Leave,
}

/// The page as it stands.
#[derive(Debug, Default)]
pub(super) struct Page {
    snapshot: Option<Arc<Snapshot>>,
    /// Since when the queues are being counted, if they are.
    asked: Option<Duration>,
    reading: Option<Reading>,
    /// By the clock that never goes back, and as a date.
    pub(super) now: Duration,
    pub(super) date: Duration,
    /// The row of the chosen queue, and its name, by which it is found in the next count.
    row: usize,
    name: Option<String>,
    is_open: bool,
    /// How many lines of an open queue are above the screen.
    pub(super) above: usize,
}

impl Page {
    /// A page before the first count, of all queues or of one.
    pub(super) fn new(queue: Option<String>) -> Self {
        Self { is_open: queue.is_some(), name: queue, ..Self::default() }
    }

    pub(super) fn now(&mut self, now: Duration, date: Duration) {
        (self.now, self.date) = (now, date);
    }

    pub(super) fn take(&mut self, news: News) {
        match news {
            News::Asked(at) => self.asked = Some(at),
            News::Counted(snapshot) => self.count(snapshot),
            News::Read(reading) => self.read(reading),
        }
    }

    /// The chosen queue stays chosen; the row stays where the queue is gone.
    fn count(&mut self, snapshot: Arc<Snapshot>) {
        let is_chosen = |queue: &QueueSample| Some(&queue.name) == self.name.as_ref();
        let found = snapshot.queues.iter().position(is_chosen);
        self.snapshot = Some(snapshot);
        self.asked = None;
        match found {
            Some(row) => self.row = row,
            None if self.is_open => {}
            None => self.choose(self.row),
        }
    }

    /// One of a queue that is not open any more is dropped.
    fn read(&mut self, reading: Reading) {
        if self.open() == Some(&reading.queue) {
            self.reading = Some(reading);
        }
    }

    pub(super) fn press(&mut self, key: KeyEvent) -> Step {
        if key.kind == KeyEventKind::Release {
            return Step::Stay;
        }
        match key.code {
            KeyCode::Char('q') => return Step::Leave,
            KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => {
                return Step::Leave;
            }
            KeyCode::Esc if !self.is_open => return Step::Leave,
            KeyCode::Esc | KeyCode::Left | KeyCode::Backspace => self.close(),
            KeyCode::Enter | KeyCode::Right if !self.is_open => {
                self.is_open = self.chosen().is_some();
            }
            code => self.go(code),
        }
        Step::Stay
    }

    fn close(&mut self) {
        (self.is_open, self.above, self.reading) = (false, 0, None);
        self.choose(self.row);
    }

    /// Moves among the queues, or along the lines of the open one.
    fn go(&mut self, code: KeyCode) {
        let from = if self.is_open { self.above } else { self.row };
        let to = match code {
            KeyCode::Up | KeyCode::Char('k') => from.saturating_sub(1),
            KeyCode::Down | KeyCode::Char('j') => from.saturating_add(1),
            KeyCode::PageUp => from.saturating_sub(LEAP),
            KeyCode::PageDown => from.saturating_add(LEAP),
            KeyCode::Home | KeyCode::Char('g') => 0,
            KeyCode::End | KeyCode::Char('G') => usize::MAX,
            _ => return,
        };
        match self.is_open {
            // The drawing knows how many lines there are, and ends at the last.
            true => self.above = to,
            false => self.choose(to),
        }
    }

    fn choose(&mut self, row: usize) {
        self.row = row.min(self.queues().len().saturating_sub(1));
        self.name = self.queues().get(self.row).map(|queue| queue.name.clone());
    }

    pub(super) fn snapshot(&self) -> Option<&Snapshot> {
        self.snapshot.as_deref()
    }

    /// How long the store has been asked, if it has not answered yet.
    pub(super) fn asking(&self) -> Option<Duration> {
        self.asked.map(|asked| self.now.saturating_sub(asked))
    }

    /// The queues of the last count, by name.
    pub(super) fn queues(&self) -> &[QueueSample] {
        self.snapshot.as_ref().map_or(&[], |snapshot| &snapshot.queues)
    }

    pub(super) const fn row(&self) -> usize {
        self.row
    }

    /// The chosen queue, if the last count has it.
    pub(super) fn chosen(&self) -> Option<&QueueSample> {
        self.queues().iter().find(|queue| Some(&queue.name) == self.name.as_ref())
    }

    /// The name of the open queue, if one is.
    pub(super) fn open(&self) -> Option<&str> {
        self.name.as_deref().filter(|_| self.is_open)
    }

    /// What is known of the open queue beyond its counts, and its age; why nothing is; or nothing yet.
    pub(super) fn reading(&self) -> Option<Result<(&Found, Duration), &str>> {
        let reading = self.reading.as_ref()?;
        let age = self.now.saturating_sub(reading.taken);
        Some(reading.found.as_ref().map(|found| (found, age)).map_err(String::as_str))
    }
}
