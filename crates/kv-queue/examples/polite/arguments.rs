//! The command line.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use kv_core::BoxError;
use reqwest::Url;

const USAGE: &str = "usage: polite [OPTION VALUE].. URL..
  URL            where to begin; links to these hosts and the hosts below them are followed
  --depth        how many links away from a URL, 0 to 255; default 5
  --per-host     how many requests of a host at a time; default 2
  --rate         how many requests of a host in a second; default 5
  --concurrency  how many requests at a time, 1 to 1024; default 64
  --lease        after how many seconds the pages of a killed crawl are free again; default 30
  --proxy        an HTTP proxy to ask, as http://HOST:PORT; default none
  --state        the file of the queue and the pages, unless OC_KV_STORE_TYPE is set;
                 default polite.db";

pub(crate) struct Arguments {
    pub(crate) seeds: Vec<Url>,
    pub(crate) depth: u8,
    pub(crate) per_host: u32,
    pub(crate) rate: u32,
    pub(crate) concurrency: usize,
    pub(crate) lease: Duration,
    pub(crate) proxy: Option<String>,
    pub(crate) state: PathBuf,
}

impl Arguments {
    pub(crate) fn from_command_line() -> Result<Self, BoxError> {
        let mut arguments = Self {
            seeds: Vec::new(),
            depth: 5,
            per_host: 2,
            rate: 5,
            concurrency: 64,
            lease: Duration::from_secs(30),
            proxy: None,
            state: "polite.db".into(),
        };
        let mut given = std::env::args().skip(1);
        while let Some(argument) = given.next() {
            match argument.as_str() {
                "--depth" => arguments.depth = number(&argument, given.next(), u8::MAX)?,
                "--per-host" => arguments.per_host = number(&argument, given.next(), 1024)?,
                "--rate" => arguments.rate = number(&argument, given.next(), 100_000)?,
                "--concurrency" => arguments.concurrency = number(&argument, given.next(), 1024)?,
                "--lease" => {
                    let seconds = number(&argument, given.next(), 3600)?;
                    arguments.lease = Duration::from_secs(seconds);
                }
                "--proxy" => arguments.proxy = given.next(),
                "--state" => arguments.state = given.next().ok_or(USAGE)?.into(),
                option if option.starts_with('-') => {
                    return Err(format!("unknown option {option}\n{USAGE}").into());
                }
                url => arguments.seeds.push(seed(url)?),
            }
        }
        if arguments.seeds.is_empty() {
            return Err(USAGE.into());
        }
        Ok(arguments)
    }
}

fn number<N: FromStr + Copy + PartialOrd + From<u8> + std::fmt::Display>(
    option: &str,
    value: Option<String>,
    most: N,
) -> Result<N, BoxError> {
    let least = N::from(u8::from(option != "--depth"));
    let number = value.and_then(|value| value.parse().ok());
    number
        .filter(|number| (&least..=&most).contains(&number))
        .ok_or_else(|| format!("{option} expects a number from {least} to {most}\n{USAGE}").into())
}

fn seed(url: &str) -> Result<Url, BoxError> {
    let parsed = Url::parse(url).map_err(|error| format!("{url}: {error}"))?;
    if parsed.scheme() != "http" || parsed.host_str().is_none() {
        return Err(format!("{url}: expected http://HOST/PATH").into());
    }
    Ok(parsed)
}
