//! How the servers are arranged.

use std::fmt;

use super::Secret;
use super::address::Address;

/// What a store connects to, checked.
#[derive(Clone)]
pub(crate) enum Servers {
    One(Address),
    /// Some nodes of a Cluster; they name the other nodes.
    Cluster(Vec<Address>),
    Sentinel(Sentinels),
}

/// The Sentinels that know the primary of a name.
#[derive(Clone)]
pub(crate) struct Sentinels {
    pub(crate) master: String,
    pub(crate) nodes: Vec<Address>,
    pub(crate) username: Option<String>,
    pub(crate) password: Option<Secret>,
}

/// As logs and errors show it.
impl fmt::Display for Servers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(address) => write!(f, "{address}"),
            Self::Cluster(nodes) => write!(f, "the cluster of {}", Listed(nodes)),
            Self::Sentinel(sentinels) => {
                let Sentinels { master, nodes, .. } = sentinels;
                write!(f, "{master:?} of the sentinels {}", Listed(nodes))
            }
        }
    }
}

struct Listed<'a>(&'a [Address]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, address) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str(", ")?;
            }
            write!(f, "{address}")?;
        }
        Ok(())
    }
}
