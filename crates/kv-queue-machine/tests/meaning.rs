//! What the machine does, promise by promise: the oracle only compares it with itself.

#[path = "meaning/age.rs"]
mod age;
#[cfg(test)]
#[path = "meaning/bench.rs"]
mod bench;
#[cfg(test)]
#[path = "meaning/broken.rs"]
mod broken;
#[cfg(test)]
#[path = "meaning/bytes.rs"]
mod bytes;
#[path = "meaning/control.rs"]
mod control;
#[path = "meaning/done.rs"]
mod done;
#[path = "meaning/exchange.rs"]
mod exchange;
#[cfg(test)]
#[path = "meaning/groups.rs"]
mod groups;
#[path = "meaning/history.rs"]
mod history;
#[path = "meaning/look.rs"]
mod look;
#[path = "meaning/maintain.rs"]
mod maintain;
#[path = "meaning/order.rs"]
mod order;
#[path = "meaning/refused.rs"]
mod refused;
#[cfg(test)]
#[path = "meaning/release.rs"]
mod release;
#[path = "meaning/sessions.rs"]
mod sessions;
#[path = "meaning/submit.rs"]
mod submit;
#[cfg(test)]
#[path = "meaning/transfer.rs"]
mod transfer;
