//! `bench build`: what the smallest program on each backend costs to build, and how large it is.
//!
//! Each program is built cold in a folder of its own under `target/bench/build`, for release, without
//! symbols, with the versions of this repository. Processor seconds stand beside elapsed ones: they
//! disturb less when the machine has other work.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::{Outcome, folder, shell};

const PAGE: &str = "docs/BUILDS.md";

/// A smallest program: it opens a store, writes and reads.
struct Program {
    name: &'static str,
    /// The one crate that it names beside kv-core, as a line of a manifest.
    dependency: &'static str,
    /// What opens the store.
    open: &'static str,
    /// Crates that nobody asked for, so they must not be built.
    never: &'static [&'static str],
}

/// What a build cost, and what came of it.
struct Cost {
    bytes: u64,
    crates: usize,
    processor: f64,
    elapsed: f64,
}

const MEMORY: &str = "Store::new(kv_memory::MemoryStore::new())";
const SQLITE: &str = "Store::new(kv_sqlite::SqliteStore::open(\"state.db\").await?)";
const REDIS: &str = "Store::new(kv_redis::RedisStore::connect(\
                     kv_redis::RedisConfig::from_url(\"redis://localhost\")?).await?)";
const CONFIG: &str = "kv_config::from_env().await?";
const SQLITE_ITSELF: &str = "libsqlite3-sys";
const REDIS_DRIVER: &str = "fred";
const TLS: &str = "rustls";

const PROGRAMS: [Program; 9] = [
    Program {
        name: "kv-memory",
        dependency: "kv-memory = { path = \"CRATES/kv-memory\" }",
        open: MEMORY,
        never: &[SQLITE_ITSELF, REDIS_DRIVER],
    },
    Program {
        name: "kv-sqlite",
        dependency: "kv-sqlite = { path = \"CRATES/kv-sqlite\" }",
        open: SQLITE,
        never: &[REDIS_DRIVER],
    },
    Program {
        name: "kv-redis",
        dependency: "kv-redis = { path = \"CRATES/kv-redis\" }",
        open: REDIS,
        never: &[SQLITE_ITSELF],
    },
    Program {
        name: "kv-redis, only `tls`",
        dependency: "kv-redis = { path = \"CRATES/kv-redis\", default-features = false, features = [\"tls\"] }",
        open: REDIS,
        never: &[SQLITE_ITSELF],
    },
    Program {
        name: "kv-redis, no feature",
        dependency: "kv-redis = { path = \"CRATES/kv-redis\", default-features = false }",
        open: REDIS,
        never: &[SQLITE_ITSELF, TLS],
    },
    Program {
        name: "kv-config, only `memory`",
        dependency: "kv-config = { path = \"CRATES/kv-config\", default-features = false, features = [\"memory\"] }",
        open: CONFIG,
        never: &[SQLITE_ITSELF, REDIS_DRIVER],
    },
    Program {
        name: "kv-config, only `sqlite`",
        dependency: "kv-config = { path = \"CRATES/kv-config\", default-features = false, features = [\"sqlite\"] }",
        open: CONFIG,
        never: &[REDIS_DRIVER],
    },
    Program {
        name: "kv-config, only `redis`",
        dependency: "kv-config = { path = \"CRATES/kv-config\", default-features = false, features = [\"redis\"] }",
        open: CONFIG,
        never: &[SQLITE_ITSELF, TLS],
    },
    Program {
        name: "kv-config",
        dependency: "kv-config = { path = \"CRATES/kv-config\" }",
        open: CONFIG,
        never: &[SQLITE_ITSELF],
    },
];

/// Builds the programs whose names contain the argument, or all; all of them write the page.
pub(super) fn run(arguments: &[String]) -> Outcome {
    let only = arguments.first().map(String::as_str).unwrap_or_default();
    let chosen: Vec<_> = PROGRAMS.iter().filter(|program| program.name.contains(only)).collect();
    if chosen.is_empty() {
        let names = PROGRAMS.map(|program| program.name).join("; ");
        return Err(format!("no program is called `{only}`; there are: {names}"));
    }
    let mut page = HEAD.to_owned();
    for program in chosen {
        let row = row(program.name, &cost(program)?);
        print!("{row}");
        page.push_str(&row);
    }
    if !only.is_empty() {
        return Ok(());
    }
    fs::write(shell::root().join(PAGE), page).map_err(|why| format!("{PAGE}: {why}"))
}

const HEAD: &str = "\
# Builds

Written by `cargo xtask bench build`, which builds the smallest program on each backend cold, for
release and without symbols. The program opens a store, writes and reads. `crates` are all that are
compiled, ours among them. Seconds are those of a machine with two cores; elapsed ones depend on its other
work. `cargo xtask bench build kv-redis` builds those with `kv-redis` in their names. A build of what
nobody asked for fails: SQLite, the driver of Redis, or TLS.

| program | MB | crates | processor s | elapsed s |
| --- | ---: | ---: | ---: | ---: |
";

fn row(name: &str, cost: &Cost) -> String {
    let hundredths = (cost.bytes + 5_000) / 10_000;
    let Cost { crates, processor, elapsed, .. } = cost;
    format!(
        "| {name} | {}.{:02} | {crates} | {processor:.0} | {elapsed:.0} |\n",
        hundredths / 100,
        hundredths % 100
    )
}

fn cost(program: &Program) -> Result<Cost, String> {
    let folder = prepared(program)?;
    // `times` tells the processor time of all that the shell ran; `date`, the elapsed one.
    let script = "date +%s.%N; cargo build --release >&2 || exit 1; date +%s.%N; times";
    let mut shell = Command::new("sh");
    shell.args(["-c", script]).current_dir(&folder).env("CARGO_TARGET_DIR", folder.join("target"));
    let built = shell.output().map_err(|why| format!("cannot start a shell: {why}"))?;
    let log = String::from_utf8_lossy(&built.stderr);
    if !built.status.success() {
        return Err(format!("{} does not build:\n{log}", program.name));
    }
    let crates = compiled(&log);
    if let Some(unasked) = program.never.iter().find(|name| crates.contains(*name)) {
        return Err(format!("{} builds {unasked}, which nobody asked for", program.name));
    }
    let (elapsed, processor) = times(&built).ok_or("the shell told no times")?;
    let binary = folder.join("target/release/smallest");
    let bytes = fs::metadata(&binary).map_err(|why| format!("{}: {why}", binary.display()))?.len();
    // A folder has some hundred megabytes.
    fs::remove_dir_all(&folder).map_err(|why| format!("{}: {why}", folder.display()))?;
    Ok(Cost { bytes, crates: crates.len(), processor, elapsed })
}

/// The names of the crates that cargo says it compiles.
fn compiled(log: &str) -> Vec<&str> {
    let crates = log.lines().filter_map(|line| line.trim_start().strip_prefix("Compiling "));
    crates.filter_map(|told| told.split(' ').next()).collect()
}

/// The folder of the program, without anything that an earlier build left.
fn prepared(program: &Program) -> Result<PathBuf, String> {
    let name: String = program.name.chars().filter(|c| c.is_ascii_alphabetic()).collect();
    let folder = shell::root().join("target/bench/build").join(name);
    let manifest = manifest(program, &shell::root().join("crates"));
    let files = [("src/main.rs", &*source(program)), ("Cargo.toml", &*manifest)];
    folder::project(&folder, &files)?;
    Ok(folder)
}

fn source(program: &Program) -> String {
    let open = program.open;
    format!(
        "use kv_core::Store;\n\n#[tokio::main(flavor = \"current_thread\")]\n\
         async fn main() -> Result<(), Box<dyn std::error::Error>> {{\n    \
         let store: Store = {open};\n    store.set(\"k\", \"v\").await?;\n    \
         println!(\"{{:?}}\", store.get::<String>(\"k\").await?);\n    Ok(())\n}}\n"
    )
}

fn manifest(program: &Program, crates: &Path) -> String {
    let dependency = program.dependency.replace("CRATES", &crates.to_string_lossy());
    let core = crates.join("kv-core");
    format!(
        "[package]\nname = \"smallest\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n\n\
         [profile.release]\nstrip = true\n\n[dependencies]\nkv-core = {{ path = \"{}\" }}\n\
         {dependency}\n\
         tokio = {{ version = \"1\", default-features = false, features = [\"macros\", \"rt\"] }}\n",
        core.display()
    )
}

/// Elapsed and processor seconds: the two dates around the build, then the times of the shell and of
/// its children.
fn times(built: &Output) -> Option<(f64, f64)> {
    let text = String::from_utf8_lossy(&built.stdout);
    let mut lines = text.lines();
    let began: f64 = lines.next()?.parse().ok()?;
    let ended: f64 = lines.next()?.parse().ok()?;
    let children = lines.nth(1)?;
    let seconds = children.split_whitespace().map(of_minutes).sum::<Option<f64>>()?;
    Some((ended - began, seconds))
}

/// As in `1m2.5s`.
fn of_minutes(text: &str) -> Option<f64> {
    let (minutes, seconds) = text.strip_suffix('s')?.split_once('m')?;
    Some(minutes.parse::<f64>().ok()? * 60.0 + seconds.parse::<f64>().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_times_of_the_builds_own_processes_count() {
        let stdout = b"10.5\n72.5\n0m9.00s 0m9.00s\n1m2.50s 0m3.25s\n".to_vec();
        let output = Output { status: Default::default(), stdout, stderr: Vec::new() };
        assert_eq!(times(&output), Some((62.0, 65.75)));
    }

    #[test]
    fn a_crate_is_counted_when_it_is_compiled() {
        let log =
            "  Downloaded a v1.0.0\n   Compiling fred v10.1.0\n   Compiling smallest v0.0.0 (/x)\n";
        assert_eq!(compiled(log), ["fred", "smallest"]);
    }

    #[test]
    fn every_manifest_is_toml_and_names_our_crates_by_their_path() {
        for program in &PROGRAMS {
            let text = manifest(program, Path::new("/top/crates"));
            let table: toml::Table = text.parse().unwrap();
            assert!(table["dependencies"]["kv-core"].is_table(), "{text}");
            assert!(!text.contains("CRATES"), "{text}");
        }
    }

    #[test]
    fn a_row_tells_megabytes_with_two_digits() {
        let cost = Cost { bytes: 6_098_112, crates: 41, processor: 100.2, elapsed: 59.6 };
        assert_eq!(row("kv-redis", &cost), "| kv-redis | 6.10 | 41 | 100 | 60 |\n");
    }

    #[test]
    fn a_name_of_no_program_is_answered_with_the_names() {
        let failed = run(&["moka".to_owned()]).unwrap_err();
        assert!(failed.contains("kv-redis, only `tls`"), "{failed}");
    }
}
