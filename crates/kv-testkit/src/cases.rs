//! The rules of the contract, each a function of its own.

pub(crate) mod batches;
pub(crate) mod closed;
pub(crate) mod conditions;
pub(crate) mod counters;
pub(crate) mod declared;
pub(crate) mod dropped;
pub(crate) mod drops;
pub(crate) mod expired;
pub(crate) mod failed;
pub(crate) mod figures;
pub(crate) mod gone;
pub(crate) mod handles;
pub(crate) mod lifecycle;
pub(crate) mod lifetime;
pub(crate) mod lifetimes;
pub(crate) mod many;
pub(crate) mod parts;
pub(crate) mod races;
pub(crate) mod reopen;
pub(crate) mod scan;
pub(crate) mod secrets;
pub(crate) mod shapes;
pub(crate) mod sizes;
pub(crate) mod take;
pub(crate) mod touch;
pub(crate) mod turns;
pub(crate) mod typed;
pub(crate) mod values;
pub(crate) mod versions;
pub(crate) mod walks;
pub(crate) mod watched;

/// What each case returns.
type Tried = Result<(), crate::Failure>;
