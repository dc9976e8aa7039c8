//! What a host asks crawlers to leave alone: its `robots.txt`, as RFC 9309 says.

use std::time::Duration;

use kv_core::{BoxError, CacheOptions, Store};
use reqwest::{Client, StatusCode, Url};

use crate::crawler::{self, NAME};

/// How long the rules of a host are good for: RFC 9309, 2.4.
const FRESH: Duration = Duration::from_secs(24 * 60 * 60);

/// Whether a page may be fetched. A host is asked for its rules once a day, by one process.
pub(crate) async fn allow(rules: &Store, client: &Client, url: &Url) -> Result<bool, BoxError> {
    let host = crawler::host(url);
    let cached = CacheOptions::new().ttl(FRESH);
    let (client, from) = (client.clone(), url.clone());
    let text: String = rules.get_or_set_with(&host, cached, || fetch(client, from)).await?;
    let path = url.path();
    Ok(!disallowed(&text).any(|start| path.starts_with(start)))
}

async fn fetch(client: Client, url: Url) -> Result<String, BoxError> {
    let answer = client.get(url.join("/robots.txt")?).send().await?;
    match answer.status() {
        status if status.is_success() => crawler::body(answer).await,
        // "Unavailable", 2.3.1.3: everything may be fetched.
        status if status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS => {
            Ok(String::new())
        }
        status => Err(format!("robots.txt: the server answered {status}").into()),
    }
}

/// The starts of paths that are not for this crawler. The groups for it go before those for all.
fn disallowed(text: &str) -> impl Iterator<Item = &str> {
    let lines = || text.lines().filter_map(|line| line.split('#').next()?.split_once(':'));
    let agent = |value: &str| value.trim().eq_ignore_ascii_case(NAME);
    let is_named = lines().any(|(field, value)| is(field, "user-agent") && agent(value));
    let (mut is_ours, mut in_rules) = (false, false);
    lines().filter_map(move |(field, value)| {
        let value = value.trim();
        if is(field, "user-agent") {
            let matches = if is_named { agent(value) } else { value == "*" };
            is_ours = matches || is_ours && !in_rules;
            in_rules = false;
            return None;
        }
        in_rules = true;
        (is_ours && is(field, "disallow") && !value.is_empty()).then_some(value)
    })
}

fn is(field: &str, name: &str) -> bool {
    field.trim().eq_ignore_ascii_case(name)
}
