//! Walks over keys that come and go meanwhile.

use std::collections::BTreeSet;

use kv_core::{Bytes, Condition, Cursor, Lifetime, Pattern, ScanPage, ScanRequest};

use super::Tried;
use super::values::awkward_keys;
use crate::failure::{ensure, ensure_eq};
use crate::trial::{bytes, millis, ms_of};
use crate::{Failure, Trial};

/// Limits of pages: one key, a few, a divisor of the number of keys.
const LIMITS: [usize; 4] = [1, 3, 10, 25];

/// More pages than any walk here has.
const MOST_PAGES: usize = 5_000;

fn numbered(prefix: &str, count: usize) -> BTreeSet<String> {
    (0..count).map(|number| format!("{prefix}{number:03}")).collect()
}

async fn fill(
    t: &Trial<'_>,
    keys: impl IntoIterator<Item = &String>,
    lifetime: Lifetime,
) -> Result<(), Failure> {
    let pairs: Vec<(String, Bytes)> =
        keys.into_iter().map(|key| (key.clone(), bytes("v"))).collect();
    Ok(t.store().set_many(pairs, lifetime).await?)
}

async fn clear(t: &Trial<'_>) -> Result<(), Failure> {
    let keys = t.scanned("*").await?;
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    t.store().delete_many(&keys).await?;
    Ok(())
}

/// A walk that a case goes along page by page.
struct Walk<'t> {
    t: &'t Trial<'t>,
    pattern: Pattern,
    limit: usize,
    cursor: Option<Cursor>,
    pages: usize,
    shown: BTreeSet<String>,
}

impl<'t> Walk<'t> {
    fn new(t: &'t Trial<'t>, pattern: &str, limit: usize) -> Result<Self, Failure> {
        let pattern = Pattern::new(pattern)?;
        Ok(Self { t, pattern, limit, cursor: None, pages: 0, shown: BTreeSet::new() })
    }

    fn has_ended(&self) -> bool {
        self.pages > 0 && self.cursor.is_none()
    }

    /// The keys of the next page.
    async fn step(&mut self) -> Result<Vec<String>, Failure> {
        self.pages += 1;
        let Self { pattern, limit, pages, .. } = self;
        ensure!(*pages < MOST_PAGES, "a walk for {pattern:?} by {limit} has {pages} pages");
        let request = ScanRequest { pattern, cursor: self.cursor.as_ref(), limit: *limit };
        let ScanPage { keys, next } = self.t.store().scan(request).await?;
        self.cursor = next;
        self.shown.extend(keys.iter().cloned());
        Ok(keys)
    }

    async fn rest(mut self) -> Result<BTreeSet<String>, Failure> {
        while !self.has_ended() {
            self.step().await?;
        }
        Ok(self.shown)
    }
}

fn missed(expected: &BTreeSet<String>, shown: &BTreeSet<String>) -> Vec<String> {
    expected.difference(shown).take(3).cloned().collect()
}

/// Whatever a cursor names is gone when the walk goes on from it.
pub(crate) async fn a_scan_goes_on_where_its_last_keys_were_deleted(t: &Trial<'_>) -> Tried {
    for limit in LIMITS {
        let keys = numbered("k", 100);
        fill(t, &keys, Lifetime::Never).await?;
        let mut walk = Walk::new(t, "k*", limit)?;
        while !walk.has_ended() {
            let page = walk.step().await?;
            let page: Vec<&str> = page.iter().map(String::as_str).collect();
            t.store().delete_many(&page).await?;
        }
        let missed = missed(&keys, &walk.shown);
        ensure!(
            missed.is_empty(),
            "a walk by {limit} that deletes what it is shown misses {missed:?}"
        );
        ensure!(t.scanned("*").await?.is_empty(), "a key is left after all were shown and deleted");
    }
    Ok(())
}

pub(crate) async fn a_scan_goes_on_where_its_last_keys_expired(t: &Trial<'_>) -> Tried {
    for limit in LIMITS {
        let stay = numbered("k", 40);
        let go: BTreeSet<String> = stay.iter().map(|key| format!("{key}+")).collect();
        fill(t, &stay, Lifetime::Never).await?;
        fill(t, &go, millis(50)).await?;
        let mut walk = Walk::new(t, "k*", limit)?;
        for _ in 0..2 {
            walk.step().await?;
        }
        t.outlive(50);
        let shown = walk.rest().await?;
        let missed = missed(&stay, &shown);
        ensure!(missed.is_empty(), "a walk by {limit} beside expiring keys misses {missed:?}");
        clear(t).await?;
    }
    Ok(())
}

/// Long stretches without a key to show, at the start, in the middle, and at the end.
pub(crate) async fn a_scan_goes_on_behind_pages_of_expired_keys(t: &Trial<'_>) -> Tried {
    let stay: BTreeSet<String> = ["b1", "d1", "d2"].map(str::to_owned).into();
    fill(t, &stay, Lifetime::Never).await?;
    for prefix in ["a", "c", "e"] {
        fill(t, &numbered(prefix, 60), millis(50)).await?;
    }
    t.outlive(50);
    for limit in LIMITS {
        let shown = Walk::new(t, "*", limit)?.rest().await?;
        ensure_eq!(shown, stay, "the keys of a walk by {limit} beside 180 expired ones");
    }
    Ok(())
}

pub(crate) async fn a_scan_goes_on_behind_pages_without_a_match(t: &Trial<'_>) -> Tried {
    for prefix in ["a", "m", "z"] {
        fill(t, &numbered(prefix, 60), Lifetime::Never).await?;
    }
    for pattern in ["*059", "m059", "?059", "z00*", "[z]05*"] {
        let matching = Pattern::new(pattern)?;
        let all = ["a", "m", "z"].into_iter().flat_map(|prefix| numbered(prefix, 60));
        let expected: BTreeSet<String> = all.filter(|key| matching.matches(key)).collect();
        for limit in LIMITS {
            let shown = Walk::new(t, pattern, limit)?.rest().await?;
            ensure_eq!(shown, expected, "the keys of a walk for {pattern:?} by {limit}");
        }
    }
    Ok(())
}

/// What is shown is written again, and neighbours come and go: the walk ends all the same.
pub(crate) async fn a_scan_ends_although_its_keys_are_written_again(t: &Trial<'_>) -> Tried {
    let stay = numbered("k", 60);
    fill(t, &stay, Lifetime::Never).await?;
    for limit in LIMITS {
        let mut walk = Walk::new(t, "k*", limit)?;
        while !walk.has_ended() {
            let page = walk.step().await?;
            for key in page.iter().filter(|key| stay.contains(*key)) {
                t.put(key, &format!("written while a walk by {limit} goes on")).await?;
            }
            if let Some(key) = page.last() {
                for neighbour in [format!("{key}-"), format!("j{key}")] {
                    t.put(&neighbour, "v").await?;
                    t.store().delete(&neighbour, Condition::Always).await?;
                }
            }
        }
        let missed = missed(&stay, &walk.shown);
        ensure!(missed.is_empty(), "a walk by {limit} beside writes misses {missed:?}");
    }
    Ok(())
}

pub(crate) async fn walks_at_once_do_not_disturb_each_other(t: &Trial<'_>) -> Tried {
    let (a, b) = (numbered("a", 50), numbered("b", 50));
    fill(t, a.iter().chain(&b), Lifetime::Never).await?;
    for limit in LIMITS {
        let mut walks =
            [Walk::new(t, "a*", limit)?, Walk::new(t, "b*", limit)?, Walk::new(t, "*", 7)?];
        while walks.iter().any(|walk| !walk.has_ended()) {
            for walk in walks.iter_mut().filter(|walk| !walk.has_ended()) {
                walk.step().await?;
            }
        }
        let [one, two, every] = walks.map(|walk| walk.shown);
        ensure_eq!(one, a, "the keys of a walk for a* by {limit}, beside two others");
        ensure_eq!(two, b, "the keys of a walk for b* by {limit}, beside two others");
        ensure_eq!(every.len(), 100, "how many keys a walk for * shows, beside two others");
    }
    Ok(())
}

/// Keys whose order a store could see in its own way, one at a time.
pub(crate) async fn a_scan_by_one_shows_keys_of_every_shape(t: &Trial<'_>) -> Tried {
    let mut keys: BTreeSet<String> = awkward_keys().into_iter().collect();
    let tails = ["", "\0", "\u{1}", " ", "-", "0", "A", "_", "a", "~", "\u{7f}", "é", "\u{10ffff}"];
    for tail in tails {
        keys.insert(format!("p{tail}"));
        keys.insert(format!("P{tail}"));
        keys.insert(format!("p{tail}{tail}"));
    }
    fill(t, &keys, Lifetime::Never).await?;
    for limit in [1, 2, 5] {
        let shown = Walk::new(t, "*", limit)?.rest().await?;
        let missed = missed(&keys, &shown);
        ensure!(missed.is_empty(), "a walk by {limit} misses {missed:?}");
        ensure_eq!(shown.len(), keys.len(), "how many keys a walk by {limit} shows");
    }
    let under_p: BTreeSet<String> =
        keys.iter().filter(|key| key.starts_with('p')).cloned().collect();
    let shown = Walk::new(t, "p*", 1)?.rest().await?;
    ensure_eq!(shown, under_p, "the keys of a walk for p* by 1");
    Ok(())
}

/// Limits that a narrower integer would cut, some of them to zero.
pub(crate) async fn a_scan_takes_limits_of_any_width(t: &Trial<'_>) -> Tried {
    let keys = numbered("k", 50);
    fill(t, &keys, Lifetime::Never).await?;
    let wide =
        [1_usize << 8, 1 << 16, 1 << 31, (1 << 31) - 1, u32::MAX as usize, isize::MAX as usize];
    let wider =
        [1_u64 << 32, (1 << 32) + 1, 1 << 63].map(|limit| usize::try_from(limit).unwrap_or(0));
    for limit in wide.into_iter().chain(wider) {
        let shown = Walk::new(t, "k*", limit)?.rest().await?;
        ensure_eq!(shown, keys, "the keys of a walk by {limit}");
    }
    Ok(())
}

/// What a walk is told twice it answers twice: a cursor is a place, and is not used up.
pub(crate) async fn a_page_that_is_asked_for_again_loses_no_key(t: &Trial<'_>) -> Tried {
    let keys = numbered("k", 60);
    fill(t, &keys, Lifetime::Never).await?;
    let mut walk = Walk::new(t, "k*", 10)?;
    while !walk.has_ended() {
        let place = walk.cursor.clone();
        walk.step().await?;
        if let Some(place) = place {
            // As a caller does whose first answer was lost.
            walk.cursor = Some(place);
            walk.step().await?;
        }
    }
    let missed = missed(&keys, &walk.shown);
    ensure!(missed.is_empty(), "a walk whose pages are asked for twice misses {missed:?}");
    t.advance(ms_of(1));
    ensure_eq!(t.scanned("k*").await?.len(), 60, "how many keys a later walk shows");
    Ok(())
}
