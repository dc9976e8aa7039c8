//! By which name the dashboard was asked for.
//!
//! A page of somebody else can give its own name the address of this machine, and its script then
//! reads what it asks for. The name in `Host` tells such a request.

use axum::http::{Request, StatusCode, header};

use crate::failure::{Failure, Result};

/// The names of this machine for itself.
const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// The names by which the dashboard may be asked for, in lower case, without a port.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hosts(Vec<String>);

impl Hosts {
    /// Adds a name or an address; an IPv6 address in brackets or not.
    pub(crate) fn add(&mut self, host: &str) {
        let host = host.to_ascii_lowercase();
        let is_bare = host.parse::<std::net::Ipv6Addr>().is_ok();
        self.0.push(if is_bare { format!("[{host}]") } else { host });
    }

    /// Checks every name that a request gives for its target; there must be one.
    pub(crate) fn check<B>(&self, request: &Request<B>) -> Result<()> {
        let header = request.headers().get_all(header::HOST).iter();
        let header: Vec<_> = header.map(|host| host.to_str().unwrap_or_default()).collect();
        let authority = request.uri().authority().map(axum::http::uri::Authority::as_str);
        let is_known =
            header.len() < 2 && header.iter().copied().chain(authority).all(|host| self.has(host));
        if is_known && !(header.is_empty() && authority.is_none()) {
            return Ok(());
        }
        Err(Failure::new(
            StatusCode::MISDIRECTED_REQUEST,
            "the dashboard does not answer under this host name; whoever starts it can add the name",
        ))
    }

    fn has(&self, host: &str) -> bool {
        let Some(name) = name_of(host) else { return false };
        let name = name.to_ascii_lowercase();
        LOOPBACK.contains(&&*name) || self.0.contains(&name)
    }
}

/// The name before the port, if both are well formed.
fn name_of(host: &str) -> Option<&str> {
    let end = if host.starts_with('[') {
        host.find(']')? + 1
    } else {
        host.find(':').unwrap_or(host.len())
    };
    let (name, port) = host.split_at_checked(end)?;
    let port = port.strip_prefix(':');
    let is_port =
        |port: &str| port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok();
    let is_whole = match port {
        Some(port) => is_port(port),
        None => host.len() == end,
    };
    (is_whole && !name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_known_name_with_or_without_a_port() {
        let mut hosts = Hosts::default();
        hosts.add("Ops.example");
        hosts.add("fe80::1");
        for known in [
            "localhost",
            "LOCALHOST:1",
            "127.0.0.1:8420",
            "[::1]:80",
            "ops.example:443",
            "[fe80::1]",
        ] {
            assert!(hosts.has(known), "{known}");
        }
        for foreign in [
            "",
            ":80",
            "evil.example",
            "localhost.evil.example",
            "localhost:",
            "localhost:x",
            "localhost:99999",
            "localhost:80@evil",
            "evil@localhost",
            "[::1",
            "[::1]x",
            "localhost.",
            "ops.example.evil",
            "127.0.0.1.nip.io",
        ] {
            assert!(!hosts.has(foreign), "{foreign}");
        }
    }
}
