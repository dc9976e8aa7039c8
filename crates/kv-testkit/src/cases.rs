//! The rules of the contract, each a function of its own.

pub(crate) mod batches;
pub(crate) mod conditions;
pub(crate) mod counters;
pub(crate) mod declared;
pub(crate) mod drops;
pub(crate) mod expired;
pub(crate) mod lifecycle;
pub(crate) mod lifetime;
pub(crate) mod many;
pub(crate) mod parts;
pub(crate) mod races;
pub(crate) mod reopen;
pub(crate) mod scan;
pub(crate) mod take;
pub(crate) mod touch;
pub(crate) mod typed;
pub(crate) mod values;

/// What each case returns.
type Tried = Result<(), crate::Failure>;
