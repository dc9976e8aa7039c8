//! One wait, and the listeners that it is registered with.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use kv_core::Result;

use super::listener::{Call, Listener};
use super::notice::{Notice, Told, Waiter};
use super::wake;

/// One wait, on one listener or, on a Cluster, on several.
///
/// Each partition number in it is an element taken from a list on the server, so none may be lost:
/// when this value is dropped, untaken numbers go to others.
#[derive(Default)]
pub(super) struct Wait {
    notice: Arc<Notice>,
    registered: Vec<Registered>,
}

struct Registered {
    listener: Arc<Listener>,
    id: u64,
    call: Call,
    waiter: Waiter,
}

impl Wait {
    /// Adds a listener for its partitions.
    pub(super) fn add(&mut self, listener: &Arc<Listener>, waiter: Waiter) {
        let (id, call) = listener.state().register(waiter.clone(), Arc::clone(&self.notice));
        self.registered.push(Registered { listener: Arc::clone(listener), id, call, waiter });
    }

    /// Makes all listeners cover this waiter.
    pub(super) async fn begin(&self) {
        let calls = self.registered.iter().map(|registered| async {
            match registered.call {
                Call::Nothing => Ok(()),
                Call::Begin => {
                    registered.listener.listen();
                    Ok(())
                }
                Call::Interrupt => registered.listener.interrupt().await,
            }
        });
        for called in join_all(calls).await {
            if let Err(error) = called {
                self.notice.fail(&error);
            }
        }
    }

    /// All that was told, once there is anything or the time is over.
    pub(super) async fn told(&mut self, limit: Duration) -> Result<Vec<u32>> {
        self.notice.rung(limit).await;
        let Told { mut numbers, error } = self.end();
        numbers.sort_unstable();
        numbers.dedup();
        match error {
            // A failure comes again, and what was told does not.
            Some(error) if numbers.is_empty() => Err(error),
            _ => Ok(numbers),
        }
    }

    /// Nothing more is told from here on.
    fn end(&self) -> Told {
        for Registered { listener, id, .. } in &self.registered {
            listener.state().remove(*id);
        }
        self.notice.take()
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        for number in self.end().numbers {
            let has_it = |it: &&Registered| it.waiter.partitions.contains(&number);
            if let Some(Registered { listener, waiter, .. }) = self.registered.iter().find(has_it)
                && let Some(list) = wake(&waiter.keys, number)
            {
                listener.state().pass_on(&waiter.queue, number, list);
            }
        }
        for Registered { listener, .. } in &self.registered {
            listener.state().unregister();
        }
    }
}
