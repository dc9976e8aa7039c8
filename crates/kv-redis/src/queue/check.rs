//! What a server must support, and should support, to keep queues.
//!
//! The check reads INFO, which a managed server may shorten or refuse; then it logs a warning.

use kv_core::{Error, ErrorKind, Result};

use crate::driver::{Answer, Driver, Request};
use crate::info::Info;

/// The first version with flags of scripts, on which the queue relies when the server is full.
const OLDEST: u32 = 7;

/// Checks each server once, and warns of settings that put jobs at risk. Returns whether all
/// servers answered.
///
/// # Errors
/// If a server cannot keep queues: `Config` if it evicts any key, `Unsupported` if it is too old,
/// `ReadOnly` if it is a replica. If no server answers, those of the connection.
pub(super) async fn check(driver: &Driver) -> Result<bool> {
    let (mut warnings, mut away) = (Vec::new(), Vec::new());
    let answers = driver.call_each(Request::Info).await?;
    let servers = answers.len();
    for answer in answers {
        warnings.extend(match answer {
            Ok(Answer::Data(info)) => judge(&String::from_utf8_lossy(&info))?,
            Ok(_) => {
                vec!["INFO is answered in an unexpected shape, so nothing can be checked".into()]
            }
            Err(error) if is_refusal(error.kind()) => {
                vec![format!("INFO is refused, so nothing can be checked: {error}")]
            }
            Err(error) => {
                away.push(error);
                Vec::new()
            }
        });
    }
    if away.len() == servers {
        return away.pop().map_or(Ok(true), Err);
    }
    // A queue can be used as far as its servers can be reached.
    let unseen = |error: &Error| format!("a server is away, so it cannot be checked: {error}");
    warnings.extend(away.iter().map(unseen));
    // The servers of a Cluster are mostly alike.
    warnings.sort_unstable();
    warnings.dedup();
    for warning in warnings {
        tracing::warn!(server = %driver.server(), "{warning}");
    }
    Ok(away.is_empty())
}

/// Whether the server answered, even with a refusal.
fn is_refusal(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Auth | ErrorKind::Unsupported | ErrorKind::Backend)
}

/// The warnings about a server.
fn judge(info: &str) -> Result<Vec<String>> {
    let info = Info(info);
    check_version(&info)?;
    check_role(&info)?;
    let mut warnings = eviction(&info)?;
    warnings.extend(persistence(&info));
    let unseen = ["redis_version", "role", "maxmemory_policy", "aof_enabled"]
        .into_iter()
        .filter(|field| info.field(field).is_none());
    warnings.extend(unseen.map(|field| format!("INFO tells no {field}, so it cannot be checked")));
    Ok(warnings)
}

fn check_version(info: &Info<'_>) -> Result<()> {
    let Some(version) = info.older_than((OLDEST, 0)) else { return Ok(()) };
    let message = format!("the server is Redis {version}; queues need {OLDEST}.0 or later");
    Err(Error::new(ErrorKind::Unsupported, message))
}

/// A replica is refused even if it accepts writes: its primary never gets them, and the next
/// synchronisation removes them.
fn check_role(info: &Info<'_>) -> Result<()> {
    if !info.is("role", "slave") {
        return Ok(());
    }
    let primary = info.field("master_host").zip(info.field("master_port"));
    let primary = primary.map_or_else(String::new, |(host, port)| format!(", {host}:{port}"));
    let message = format!("the server is a replica; queues need its primary{primary}");
    Err(Error::new(ErrorKind::ReadOnly, message))
}

fn eviction(info: &Info<'_>) -> Result<Vec<String>> {
    let Some(policy) = info.field("maxmemory_policy") else { return Ok(Vec::new()) };
    if policy.starts_with("allkeys-") {
        let message = format!(
            "maxmemory-policy is {policy}: a server that is full would evict jobs; set noeviction"
        );
        return Err(Error::new(ErrorKind::Config, message));
    }
    if !policy.starts_with("volatile-") {
        return Ok(Vec::new());
    }
    Ok(vec![format!(
        "maxmemory-policy is {policy}: a server that is full evicts entries with a lifetime; jobs \
         have none and stay"
    )])
}

/// The settings that put acknowledged jobs at risk. INFO says neither when the file is synchronised
/// nor when snapshots are taken.
fn persistence(info: &Info<'_>) -> impl Iterator<Item = String> {
    let risks = [
        (
            info.is("aof_enabled", "0"),
            "the server keeps no append-only file: what changed since its last snapshot, if it \
             takes any, is lost when it ends; set appendonly yes",
        ),
        (
            info.is("aof_last_write_status", "err"),
            "the server could not write its append-only file; it refuses writes until it can",
        ),
        (
            info.is("rdb_last_bgsave_status", "err"),
            "the server's last snapshot failed; it may refuse writes until one succeeds",
        ),
    ];
    risks.into_iter().filter(|(is_so, _)| *is_so).map(|(_, risk)| risk.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "# Server\r\nredis_version:7.0.15\r\n# Memory\r\nmaxmemory_policy:noeviction\
                        \r\n# Persistence\r\naof_enabled:1\r\nrdb_last_bgsave_status:ok\r\n\
                        aof_last_write_status:ok\r\n# Replication\r\nrole:master\r\n";

    fn with(field: &str, value: &str) -> Result<Vec<String>> {
        let start = GOOD.find(field).unwrap();
        let end = start + GOOD[start..].find("\r\n").unwrap();
        judge(&format!("{}{field}:{value}{}", &GOOD[..start], &GOOD[end..]))
    }

    fn refused(field: &str, value: &str) -> (ErrorKind, String) {
        let error = with(field, value).unwrap_err();
        (error.kind(), error.to_string())
    }

    #[test]
    fn a_server_as_it_should_be_is_not_warned_of() {
        assert_eq!(judge(GOOD).unwrap(), [""; 0]);
        for policy in ["volatile-lru", "volatile-ttl"] {
            let warnings = with("maxmemory_policy", policy).unwrap();
            assert!(matches!(&warnings[..], [one] if one.contains(policy)), "{warnings:?}");
        }
    }

    #[test]
    fn a_policy_that_evicts_jobs_is_refused_with_what_to_set() {
        for policy in ["allkeys-lru", "allkeys-lfu", "allkeys-random"] {
            let (kind, message) = refused("maxmemory_policy", policy);
            assert_eq!(kind, ErrorKind::Config);
            assert!(message.contains(policy) && message.contains("noeviction"), "{message}");
        }
    }

    #[test]
    fn a_version_that_is_too_old_is_named_with_the_one_that_is_needed() {
        for version in ["6.2.14", "5.0.3", "2.8"] {
            let (kind, message) = refused("redis_version", version);
            assert_eq!(kind, ErrorKind::Unsupported);
            assert!(message.contains(version) && message.contains("7.0"), "{message}");
        }
        for version in ["7.0.0", "7.2.4", "8.0.1", "10.0", "unstable"] {
            assert_eq!(with("redis_version", version).unwrap(), [""; 0]);
        }
        let valkey = format!("valkey_version:8.1.0\r\n{}", GOOD.replace("7.0.15", "6.2.0"));
        assert_eq!(judge(&valkey).unwrap(), [""; 0]);
    }

    #[test]
    fn a_replica_is_refused_and_its_primary_named() {
        let (kind, message) =
            refused("role", "slave\r\nmaster_host:db-1\r\nmaster_port:6380\r\nslave_read_only:0");
        assert_eq!(kind, ErrorKind::ReadOnly);
        assert!(message.contains("replica") && message.contains("db-1:6380"), "{message}");
        assert_eq!(refused("role", "slave").0, ErrorKind::ReadOnly);
    }

    #[test]
    fn what_puts_jobs_at_risk_is_warned_of() {
        for (field, value, said) in [
            ("aof_enabled", "0", "appendonly yes"),
            ("aof_last_write_status", "err", "append-only file"),
            ("rdb_last_bgsave_status", "err", "snapshot"),
        ] {
            let warnings = with(field, value).unwrap();
            assert!(matches!(&warnings[..], [one] if one.contains(said)), "{warnings:?}");
        }
    }

    #[test]
    fn what_is_not_told_is_warned_of_and_no_more() {
        let warnings = judge("# Server\r\nuptime_in_seconds:1\r\n").unwrap();
        assert_eq!(warnings.len(), 4, "{warnings:?}");
        assert!(warnings.iter().all(|warning| warning.contains("cannot be checked")));
    }
}
