//! How a node of a Cluster redirects a request. The node has not executed the request.

use fred::error::Error as FredError;

use super::error;
use crate::config::Address;

/// What to do with a redirected request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Redirect {
    /// The slot has another owner.
    Moved { slot: u16, to: Address },
    /// The slot is being moved to another node, which already has this key: ask that node this
    /// once.
    Ask { to: Address },
    /// Some of the keys are still being moved. Later they are on one node.
    TryAgain,
}

impl Redirect {
    /// Reads `MOVED slot host:port`, `ASK slot host:port` and `TRYAGAIN …`. A missing host means
    /// the host that was `asked`.
    pub(super) fn of(fault: &FredError, asked: &Address) -> Option<Self> {
        let code = error::code(fault)?;
        if code == "TRYAGAIN" {
            return Some(Self::TryAgain);
        }
        let mut words = fault.details().split_whitespace().skip(1);
        let slot = words.next()?.parse().ok()?;
        let to = address(words.next()?, asked)?;
        match code {
            "MOVED" => Some(Self::Moved { slot, to }),
            "ASK" => Some(Self::Ask { to }),
            _ => None,
        }
    }
}

/// An IPv6 address has no brackets. A host that the node does not know is `?` or missing.
fn address(text: &str, asked: &Address) -> Option<Address> {
    let (host, port) = text.rsplit_once(':')?;
    announced(host, port.parse().ok()?, asked)
}

/// An address as a node announces it.
pub(super) fn announced(host: &str, port: u16, asked: &Address) -> Option<Address> {
    match (host, asked) {
        ("" | "?", Address::Tcp { host, .. }) => Some(Address::Tcp { host: host.clone(), port }),
        ("" | "?", Address::Unix(_)) => None,
        (host, _) => Some(Address::Tcp { host: host.to_owned(), port }),
    }
}

#[cfg(test)]
mod tests {
    use fred::error::ErrorKind;

    use super::*;

    fn tcp(host: &str, port: u16) -> Address {
        Address::Tcp { host: host.into(), port }
    }

    fn read(text: &'static str) -> Option<Redirect> {
        Redirect::of(&FredError::new(ErrorKind::Cluster, text), &tcp("asked", 1))
    }

    #[test]
    fn each_redirection_is_read_and_a_missing_host_is_the_one_that_was_asked() {
        let moved = |to| Some(Redirect::Moved { slot: 3_999, to });
        assert_eq!(read("MOVED 3999 127.0.0.1:6381"), moved(tcp("127.0.0.1", 6381)));
        assert_eq!(read("MOVED 3999 ::1:6381"), moved(tcp("::1", 6381)));
        assert_eq!(read("MOVED 3999 :6381"), moved(tcp("asked", 6381)));
        assert_eq!(read("MOVED 3999 ?:6381"), moved(tcp("asked", 6381)));
        assert_eq!(read("ASK 1 db-2:7"), Some(Redirect::Ask { to: tcp("db-2", 7) }));
        assert_eq!(read("TRYAGAIN Multiple keys"), Some(Redirect::TryAgain));
    }

    #[test]
    fn what_is_no_redirection_is_none() {
        for text in ["MOVED", "MOVED x h:1", "MOVED 1 h", "MOVED 1 h:x", "ERR no", "moved 1 h:1"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
