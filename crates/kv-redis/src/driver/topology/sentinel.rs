//! Sentinels: each knows which server is the primary of a name.

use kv_core::{Error, ErrorKind, Result};

use super::super::connector::Connector;
use super::super::request::{Answer, Request};
use super::first::first_of;
use super::map::{Layout, Map};
use super::{QUERY_TIMEOUT, ask, asked, open, worst};
use crate::config::{Address, Sentinels};

/// Asks the Sentinels, each time another one first, until one names a server that is a primary.
pub(super) async fn find(
    connector: &Connector,
    sentinels: &Sentinels,
    known: &Map,
    turn: usize,
) -> Result<Layout> {
    let mut nodes: Vec<_> = sentinels.nodes.iter().collect();
    let first = turn % nodes.len().max(1);
    nodes.rotate_left(first);
    let to_sentinels = connector.to_sentinels(sentinels, QUERY_TIMEOUT);
    let look = async |node: &Address| {
        let request = Request::PrimaryOf(sentinels.master.clone());
        let named = asked(&to_sentinels, node, request).await.map_err(|it| strange(it, node))?;
        let address = primary(named, &sentinels.master, node)?;
        check(connector, known, &address).await?;
        Ok(Layout::one(address))
    };
    let found = first_of(nodes.into_iter().map(look)).await;
    found.map_err(|errors| {
        worst(errors, || Error::new(ErrorKind::Connection, "no sentinel was asked"))
    })
}

/// A server that does not know the question is not a Sentinel.
fn strange(error: Error, server: &Address) -> Error {
    match error.kind() {
        ErrorKind::Unsupported => {
            Error::new(ErrorKind::Config, format!("{server} is no sentinel")).because(error)
        }
        _ => error,
    }
}

/// Reads an address; nil means that the Sentinel does not watch the name.
fn primary(answer: Answer, master: &str, sentinel: &Address) -> Result<Address> {
    if matches!(answer, Answer::Nil) {
        let message = format!("the sentinel {sentinel} knows no master {master:?}");
        return Err(Error::new(ErrorKind::Config, message));
    }
    address(answer).ok_or_else(|| {
        let message = format!("{sentinel} does not answer as a sentinel does");
        Error::new(ErrorKind::Backend, message)
    })
}

fn address(answer: Answer) -> Option<Address> {
    let Answer::List(parts) = answer else { return None };
    let [Answer::Data(host), Answer::Data(port)] = parts.as_slice() else { return None };
    let host = std::str::from_utf8(host).ok()?.to_owned();
    let port = std::str::from_utf8(port).ok()?.parse().ok()?;
    Some(Address::Tcp { host, port })
}

/// A Sentinel may name a server that it has not promoted yet, or that is now a replica.
async fn check(connector: &Connector, known: &Map, address: &Address) -> Result<()> {
    let role = match known.at(address).filter(|node| node.is_ready()) {
        Some(node) => ask(&node, Request::Role).await?,
        None => {
            ask(&open(&connector.with_timeout(QUERY_TIMEOUT), address).await?, Request::Role)
                .await?
        }
    };
    let Answer::List(role) = role else { return Ok(()) };
    match role.first() {
        Some(Answer::Data(role)) if role != "master" => {
            let message = format!("the sentinels name {address}, which is no primary");
            Err(Error::new(ErrorKind::Connection, message))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(answer: Answer) -> Result<Address> {
        primary(answer, "mine", &Address::Tcp { host: "s".into(), port: 1 })
    }

    fn pair(host: &'static str, port: &'static str) -> Answer {
        Answer::List(vec![Answer::Data(host.into()), Answer::Data(port.into())])
    }

    #[test]
    fn an_address_is_read_and_an_unknown_name_is_a_configuration_that_is_wrong() {
        assert_eq!(read(pair("db", "7")).unwrap(), Address::Tcp { host: "db".into(), port: 7 });
        let unknown = read(Answer::Nil).unwrap_err();
        assert_eq!(unknown.kind(), ErrorKind::Config);
        assert!(unknown.to_string().contains("s:1 knows no master \"mine\""), "{unknown}");
    }

    #[test]
    fn another_kind_of_answer_is_an_error() {
        for answer in [Answer::Int(1), pair("db", "x"), Answer::List(Vec::new())] {
            assert_eq!(read(answer).unwrap_err().kind(), ErrorKind::Backend);
        }
    }
}
