//! The keys that somebody presses, read by a thread.

use std::io;
use std::thread::JoinHandle;
use std::time::Duration;

use ratatui::crossterm::event::{Event, poll, read};
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// How many events wait to be looked at.
const WAITING: usize = 64;

/// How soon the thread sees that nobody wants keys any more.
const LOOK: Duration = Duration::from_millis(100);

/// Events of the terminal. A drop ends the thread, and waits for it.
pub(super) struct Keys {
    events: Receiver<io::Result<Event>>,
    thread: Option<JoinHandle<()>>,
}

impl Keys {
    pub(super) fn read() -> Self {
        let (sender, events) = channel(WAITING);
        Self { events, thread: Some(std::thread::spawn(move || read_on(&sender))) }
    }

    /// The next event; `None` when there will be none.
    ///
    /// # Cancel safety
    /// A dropped future loses no event.
    pub(super) async fn next(&mut self) -> Option<io::Result<Event>> {
        self.events.recv().await
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        self.events.close();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn read_on(events: &Sender<io::Result<Event>>) {
    while !events.is_closed() {
        let event = match poll(LOOK) {
            Ok(false) => continue,
            Ok(true) => read(),
            Err(error) => Err(error),
        };
        let is_last = event.is_err();
        if events.blocking_send(event).is_err() || is_last {
            return;
        }
    }
}
