//! What the machine does, promise by promise: the oracle only compares it with itself.

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
#[path = "meaning/exchange.rs"]
mod exchange;
#[path = "meaning/lanes.rs"]
mod lanes;
#[path = "meaning/order.rs"]
mod order;
#[path = "meaning/refused.rs"]
mod refused;
#[cfg(test)]
#[path = "meaning/release.rs"]
mod release;
#[path = "meaning/submit.rs"]
mod submit;
#[path = "meaning/tend.rs"]
mod tend;
#[cfg(test)]
#[path = "meaning/transfer.rs"]
mod transfer;
