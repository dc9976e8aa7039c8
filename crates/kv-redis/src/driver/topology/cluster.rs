//! A Redis Cluster: each node knows which node has which slots.

use std::sync::Arc;

use kv_core::{Error, ErrorKind, Result};

use super::super::connector::Connector;
use super::super::node::Node;
use super::super::redirect::announced;
use super::super::request::{Answer, Request};
use super::super::slot::SLOTS;
use super::first::first_of;
use super::map::{Map, Range};
use super::{ask, asked, worst};
use crate::config::Address;

/// Asks the known nodes that are ready, each time another one first, then the configured nodes.
pub(super) async fn find(
    connector: &Connector,
    seeds: &[Address],
    known: &Map,
    turn: usize,
) -> Result<Vec<Range>> {
    let (mut nodes, _) = known.nodes();
    nodes.retain(|node| node.is_ready());
    let first = turn % nodes.len().max(1);
    nodes.rotate_left(first);
    let mut seeds: Vec<_> = seeds.iter().collect();
    let first = turn % seeds.len().max(1);
    seeds.rotate_left(first);
    let nodes = nodes.into_iter().map(|node| told(connector, Told::By(node)));
    let seeds = seeds.into_iter().map(|seed| told(connector, Told::ByStranger(seed)));
    let found = first_of(nodes.chain(seeds)).await;
    found.map_err(|errors| worst(errors, || nothing("no node")))
}

enum Told<'a> {
    By(Arc<Node>),
    ByStranger(&'a Address),
}

async fn told(connector: &Connector, told: Told<'_>) -> Result<Vec<Range>> {
    match told {
        Told::By(node) => ranges(ask(&node, Request::ClusterSlots).await?, &node.address),
        Told::ByStranger(seed) => {
            ranges(asked(connector, seed, Request::ClusterSlots).await?, seed)
        }
    }
}

/// Reads CLUSTER SLOTS: for each range its first and last slot, its primary, its replicas.
fn ranges(answer: Answer, asked: &Address) -> Result<Vec<Range>> {
    let nothing = || nothing(&asked.to_string());
    let Answer::List(ranges) = answer else { return Err(nothing()) };
    let ranges: Option<Vec<_>> = ranges.into_iter().map(|it| range(it, asked)).collect();
    ranges.filter(|ranges| !ranges.is_empty()).ok_or_else(nothing)
}

fn range(answer: Answer, asked: &Address) -> Option<Range> {
    let Answer::List(parts) = answer else { return None };
    let mut parts = parts.into_iter();
    let mut bound = || match parts.next()? {
        Answer::Int(slot) => u16::try_from(slot).ok().filter(|slot| *slot < SLOTS),
        _ => None,
    };
    let (first, last) = (bound()?, bound()?);
    let Answer::List(primary) = parts.next()? else { return None };
    let host = match primary.first()? {
        Answer::Data(host) => std::str::from_utf8(host).ok()?,
        Answer::Nil => "",
        Answer::Int(_) | Answer::List(_) | Answer::Other => return None,
    };
    let Answer::Int(port) = primary.get(1)? else { return None };
    let address = announced(host, u16::try_from(*port).ok()?, asked)?;
    (first <= last).then_some((first, last, address))
}

fn nothing(server: &str) -> Error {
    Error::new(ErrorKind::Connection, format!("{server} does not tell who has the cluster's slots"))
}

#[cfg(test)]
mod tests {
    use super::super::map::Layout;
    use super::*;

    fn node(host: &'static str, port: i64) -> Answer {
        Answer::List(vec![Answer::Data(host.into()), Answer::Int(port), Answer::Data("id".into())])
    }

    fn slots(first: i64, last: i64, host: &'static str) -> Answer {
        Answer::List(vec![Answer::Int(first), Answer::Int(last), node(host, 7), node("replica", 8)])
    }

    fn read(found: Vec<Answer>) -> Result<Layout> {
        let asked = Address::Tcp { host: "asked".into(), port: 1 };
        let guest = Address::Tcp { host: "guest".into(), port: 7 };
        let found = ranges(Answer::List(found), &asked)?;
        Ok(Layout::of_ranges(&found, &[guest]))
    }

    #[test]
    fn only_primaries_count_and_one_without_a_host_is_where_it_was_asked() {
        let found =
            read(vec![slots(0, 99, "b"), slots(100, 16_383, ""), slots(5, 6, "a")]).unwrap();
        let places: Vec<String> = found.places().map(ToString::to_string).collect();
        assert_eq!(places, ["a:7", "asked:7", "b:7", "guest:7"]);
    }

    #[test]
    fn what_is_no_layout_is_refused() {
        let wrong = [
            Vec::new(),
            vec![Answer::Nil],
            vec![slots(0, 16_384, "a")],
            vec![slots(-1, 5, "a")],
            vec![slots(6, 5, "a")],
            vec![Answer::List(vec![Answer::Int(0), Answer::Int(1)])],
        ];
        for ranges in wrong {
            assert_eq!(read(ranges).err().map(|it| it.kind()), Some(ErrorKind::Connection));
        }
    }
}
