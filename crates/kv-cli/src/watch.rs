//! `oc-kv watch`: the queues on a terminal, live.
//!
//! One loop draws the page and waits for whatever comes first: a key, a signal, news from the store, or
//! a second that makes the news older. The store is asked beside it, so a store that hangs holds no key.

mod bars;
mod draw;
mod feed;
mod keys;
mod lines;
mod page;
mod reading;
mod screen;
mod signals;
mod table;
#[cfg(test)]
mod tests;

use std::io::{IsTerminal as _, stdin, stdout};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use kv_core::{Clock, Store, SystemClock};
use ratatui::crossterm::event::Event;
use tokio::sync::{mpsc, watch};

use crate::arguments::WatchOptions;
use crate::failure::{Failure, Result};
use crate::output::Output;
use feed::Feed;
use keys::Keys;
use page::{Page, Step};
use screen::Screen;
use signals::Signals;

/// How often the ages on the page are drawn anew.
const TICK: Duration = Duration::from_secs(1);

/// How long closing the store may take. Nothing was written, so nothing is lost.
const CLOSING: Duration = Duration::from_secs(2);

/// How much news may wait to be drawn.
const NEWS: usize = 4;

/// Refuses to draw where nobody would see it.
pub(crate) fn check(output: &Output) -> Result<()> {
    if !output.is_json() && stdin().is_terminal() && stdout().is_terminal() {
        return Ok(());
    }
    let message = "watch draws on a terminal, and needs one as input and output; \
                   `oc-kv queues --json` prints the queues once";
    Err(Failure::Usage(message.to_owned()))
}

/// Draws the queues until somebody leaves. The terminal is restored, whatever ends this.
pub(crate) async fn run(store: &Store, options: WatchOptions) -> Result<()> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let left = drawn(store, &clock, options).await;
    // A store that hangs may not close either.
    let _ = tokio::time::timeout(CLOSING, store.close()).await;
    left.map_err(|error| Failure::Failed(format!("the terminal failed: {error}")))
}

async fn drawn(
    store: &Store,
    clock: &Arc<dyn Clock>,
    options: WatchOptions,
) -> std::io::Result<()> {
    let mut page = Page::new(options.queue);
    let (open, opened) = watch::channel(page.open().map(str::to_owned));
    let (tell, mut news) = mpsc::channel(NEWS);
    let feed = Feed { store: store.clone(), clock: Arc::clone(clock), every: options.every };
    let mut feed = pin!(feed.run(opened, tell));
    // Before the terminal is taken over, so that no signal finds it taken and nobody to give it back.
    let mut signals = Signals::new()?;
    let mut screen = Screen::open()?;
    let mut keys = Keys::read();
    let mut seconds = tokio::time::interval(TICK);
    loop {
        page.now(clock.now(), clock.wall());
        screen.draw(&mut page)?;
        tokio::select! {
            biased;
            () = signals.any() => return Ok(()),
            event = keys.next() => match event {
                Some(Ok(Event::Key(key))) if page.press(key) == Step::Leave => return Ok(()),
                Some(event) => drop(event?),
                None => return Ok(()),
            },
            Some(told) = news.recv() => page.take(told),
            _ = seconds.tick() => {}
            () = &mut feed => return Ok(()),
        }
        open.send_if_modified(|open| {
            let before = std::mem::replace(open, page.open().map(str::to_owned));
            before != *open
        });
    }
}
