//! The server's figures, from INFO.

use kv_core::{Result, Stats};

use crate::driver::Answer;
use crate::info::Info;
use crate::verbs::unexpected;

/// Reads INFO's reply: lines of `name:value`, and one line for each database that has keys.
///
/// A figure that the server does not report stays `None`; a managed server may hide some. `keys`
/// counts the store's database; the other figures cover the whole server.
pub(crate) fn read(answer: Answer, db: u8) -> Result<Stats> {
    let Answer::Data(text) = answer else { return Err(unexpected()) };
    let text = String::from_utf8_lossy(&text);
    let info = Info(&text);
    let number = |name: &str| info.field(name)?.parse().ok();
    let keyspace = info.field(&format!("db{db}"));
    let keys =
        keyspace.and_then(|line| line.strip_prefix("keys=")?.split(',').next()?.parse().ok());
    let has_keyspace = text.lines().any(|line| line.trim() == "# Keyspace");
    let mut stats = Stats::default();
    stats.keys = keys.or(has_keyspace.then_some(0));
    stats.hits = number("keyspace_hits");
    stats.misses = number("keyspace_misses");
    stats.expired = number("expired_keys");
    stats.evicted = number("evicted_keys");
    stats.bytes = number("used_memory");
    Ok(stats)
}

/// The sums over several servers. A figure that one server does not report stays `None`.
pub(crate) fn sum(servers: &[Stats]) -> Stats {
    let all = |figure: fn(&Stats) -> Option<u64>| servers.iter().map(figure).sum();
    let mut stats = Stats::default();
    stats.keys = all(|one| one.keys);
    stats.hits = all(|one| one.hits);
    stats.misses = all(|one| one.misses);
    stats.expired = all(|one| one.expired);
    stats.evicted = all(|one| one.evicted);
    stats.bytes = all(|one| one.bytes);
    stats
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(text: &'static str) -> Stats {
        read(Answer::Data(text.into()), 1).unwrap()
    }

    #[test]
    fn each_figure_is_read_from_its_line() {
        let stats = info(
            "# Memory\r\nused_memory:11\r\nused_memory_human:1K\r\n# Stats\r\nexpired_keys:2\r\n\
             evicted_keys:3\r\nkeyspace_hits:4\r\nkeyspace_misses:5\r\n# Keyspace\r\n\
             db0:keys=9,expires=0,avg_ttl=0\r\ndb1:keys=6,expires=1,avg_ttl=0\r\n",
        );
        assert_eq!((stats.keys, stats.hits, stats.misses), (Some(6), Some(4), Some(5)));
        assert_eq!((stats.expired, stats.evicted, stats.bytes), (Some(2), Some(3), Some(11)));
    }

    #[test]
    fn an_empty_database_has_no_keys_and_an_untold_one_no_figure() {
        assert_eq!(info("# Keyspace\r\n").keys, Some(0));
        assert_eq!(info("redis_version:7.0.15\r\n"), Stats::default());
    }

    #[test]
    fn a_figure_of_several_servers_is_their_sum_if_all_tell_it() {
        let (mut one, mut other) = (Stats::default(), Stats::default());
        (one.keys, other.keys, one.hits) = (Some(2), Some(3), Some(4));
        let sum = sum(&[one, other]);
        assert_eq!((sum.keys, sum.hits), (Some(5), None));
    }
}
