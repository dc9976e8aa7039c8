//! `soak`: faults under a working queue, for minutes where the tests take seconds.
//!
//! The work is done by tests of `kv-queue`, `kv-sqlite` and `kv-config` that are left out of every other run; this verb hands
//! them what the command line asks for.

use crate::{Outcome, shell};

const USAGE: &str = "usage: cargo xtask soak crawl [OPTION N]...
         kills workers and the server of the example `crawl` at random moments
         --files 50000  --kills 50  --workers 3  --seed (drawn)  --appendfsync always
       cargo xtask soak outage [--seconds 1,2,4,7,8,13,20,30,45,60]
         takes the server away from idle workers, and sees how soon they are back
       cargo xtask soak failover [OPTION N]...
         fails a Cluster over and moves all its slots, then fails a primary under Sentinels over
         --failovers 20 (of each)  --seed (drawn)
       cargo xtask soak sqlite [--kills 200]
         kills processes that share one file, and looks whether anything was lost
       cargo xtask soak near [--operations 1000000]
         reads and writes through four near caches, whose connections are cut and whose primary changes";

/// The options of `crawl`; each sets the variable that ends as it does.
const CRAWL: &[&str] = &["files", "kills", "workers", "seed", "appendfsync"];

const OUTAGE: &[&str] = &["seconds"];

const FAILOVER: &[&str] = &["failovers", "seed"];

const SQLITE: &[&str] = &["kills"];

const NEAR: &[&str] = &["operations"];

pub(crate) fn run(arguments: &[String]) -> Outcome {
    match arguments.split_first() {
        Some((what, rest)) if what == "crawl" => crawl(variables(rest, CRAWL)?),
        Some((what, rest)) if what == "outage" => {
            soak(["kv-queue", "faults"], "idle::soak", &variables(rest, OUTAGE)?)
        }
        Some((what, rest)) if what == "sqlite" => {
            soak(["kv-sqlite", "store"], "kills::soak", &variables(rest, SQLITE)?)
        }
        Some((what, rest)) if what == "near" => {
            soak(["kv-config", "near"], "soak", &variables(rest, NEAR)?)
        }
        Some((what, rest)) if what == "failover" => {
            let variables = variables(rest, FAILOVER)?;
            let cluster = soak(["kv-queue", "faults"], "failover::soak_cluster", &variables);
            cluster.and(soak(["kv-queue", "faults"], "failover::soak_sentinels", &variables))
        }
        _ => Err(USAGE.to_owned()),
    }
}

/// The crawlers are built as a person runs them.
fn crawl(mut variables: Vec<(String, String)>) -> Outcome {
    shell::cargo(&["build", "--release", "-p", "kv-queue", "--example", "crawl"])?;
    let program = shell::root().join("target/release/examples/crawl");
    let program = program.to_string_lossy().into_owned();
    variables.push(("OC_KV_SOAK_CRAWL".to_owned(), program));
    soak(["kv-queue", "crawl"], "kills::soak", &variables)
}

fn soak([package, target]: [&str; 2], test: &str, variables: &[(String, String)]) -> Outcome {
    let variables: Vec<_> = variables.iter().map(|(name, it)| (&**name, &**it)).collect();
    let run = ["test", "-p", package, "--test", target, "--", "--ignored", "--exact", test];
    shell::cargo_with(&[&run[..], &["--nocapture"]].concat(), &variables)
}

/// `--name value` pairs as variables; the tests check the values.
fn variables(arguments: &[String], known: &[&str]) -> Result<Vec<(String, String)>, String> {
    arguments
        .chunks(2)
        .map(|pair| match pair {
            [option, value] => {
                let name = option.strip_prefix("--").filter(|name| known.contains(name));
                let name = name.ok_or_else(|| format!("unknown option {option}\n{USAGE}"))?;
                Ok((format!("OC_KV_SOAK_{}", name.to_uppercase()), value.clone()))
            }
            _ => Err(format!("{} needs a value\n{USAGE}", pair.concat())),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(arguments: &[&str]) -> Result<Vec<(String, String)>, String> {
        let arguments: Vec<_> = arguments.iter().map(ToString::to_string).collect();
        variables(&arguments, CRAWL)
    }

    #[test]
    fn options_become_variables() {
        let variable = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let expected = [variable("OC_KV_SOAK_FILES", "9"), variable("OC_KV_SOAK_SEED", "7")];
        assert_eq!(given(&["--files", "9", "--seed", "7"]), Ok(expected.to_vec()));
        assert_eq!(given(&[]), Ok(Vec::new()));
    }

    #[test]
    fn what_is_no_option_or_has_no_value_is_told() {
        for (arguments, expected) in [
            (&["--fies", "9"][..], "unknown option --fies"),
            (&["--files"][..], "--files needs a value"),
        ] {
            let error = given(arguments).unwrap_err();
            assert!(error.contains(expected) && error.contains("usage"), "{error}");
        }
    }
}
