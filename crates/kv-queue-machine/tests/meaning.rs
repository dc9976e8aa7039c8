//! What the machine does, promise by promise: the oracle only compares it with itself.

#[cfg(test)]
#[path = "meaning/bench.rs"]
mod bench;
#[path = "meaning/broken.rs"]
mod broken;
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
#[path = "meaning/release.rs"]
mod release;
#[path = "meaning/submit.rs"]
mod submit;
#[path = "meaning/tend.rs"]
mod tend;
