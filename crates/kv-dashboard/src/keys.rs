//! A bounded look at the keys of a store.

use std::collections::{BTreeMap, BTreeSet};

use kv_core::{Cursor, Pattern, ScanRequest, is_reserved};

use crate::app::App;
use crate::failure::Result;

/// About how many keys the store examines for one request.
const EXAMINED: usize = 100;

/// How many requests a page sends before it shows what it has.
const REQUESTS: usize = 50;

/// Enough keys for a page: fewer than a request brings as a rule, since a request examines a few keys
/// more or less, and one that brought 99 would be followed by another.
const ENOUGH: usize = EXAMINED / 2;

/// Keys of a page, and where the next one goes on.
pub(crate) struct Keys {
    /// The keys, sorted.
    pub(crate) keys: BTreeSet<String>,
    pub(crate) next: Option<Cursor>,
}

/// About a hundred keys that begin with a text, from a place on, secret namespaces left out. There
/// may be fewer although more follow.
pub(crate) async fn page(app: &App, prefix: &str, from: Option<Cursor>) -> Result<Keys> {
    let mut page = Keys { keys: BTreeSet::new(), next: from };
    for _ in 0..REQUESTS {
        let (keys, next) = ask(app, prefix, page.next.as_ref()).await?;
        page.keys.extend(keys);
        page.next = next;
        if page.next.is_none() || page.keys.len() >= ENOUGH {
            break;
        }
    }
    Ok(page)
}

/// The namespaces of the first few thousand keys, with the number of these keys.
pub(crate) async fn namespaces(app: &App) -> Result<BTreeMap<String, u64>> {
    let mut found = BTreeMap::new();
    let mut next = None;
    for _ in 0..REQUESTS {
        let (keys, after) = ask(app, "", next.as_ref()).await?;
        for key in keys {
            if let Some((name, _)) = key.split_once(':') {
                *found.entry(name.to_owned()).or_default() += 1;
            }
        }
        next = after;
        if next.is_none() {
            break;
        }
    }
    Ok(found)
}

async fn ask(
    app: &App,
    prefix: &str,
    cursor: Option<&Cursor>,
) -> Result<(Vec<String>, Option<Cursor>)> {
    let place = app.store.prefix();
    let pattern = Pattern::within(place, &[&Pattern::escape(prefix), "*"].concat())?;
    let request = ScanRequest { pattern: &pattern, cursor, limit: EXAMINED };
    let page = app.store.inner().scan(request).await?;
    let own = page.keys.into_iter().filter(|key| pattern.matches(key) && !is_reserved(key));
    let own = own.filter_map(|key| key.strip_prefix(place).map(str::to_owned));
    let shown = own.filter(|key| !key.is_empty() && !app.settings.is_secret(key));
    Ok((shown.collect(), page.next))
}
