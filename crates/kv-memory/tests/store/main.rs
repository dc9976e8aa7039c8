//! The memory store, seen from outside.

#[cfg(test)]
mod closing;
#[cfg(test)]
mod eviction;
#[cfg(test)]
mod lifetimes;
#[cfg(test)]
mod linearizability;
#[cfg(test)]
mod races;
#[cfg(test)]
mod scanning;
#[cfg(test)]
mod support;
#[cfg(test)]
mod undecodable;
#[cfg(test)]
mod verbs;
#[cfg(test)]
mod watching;
