//! Walking over the keys.

use std::collections::BTreeSet;

use kv_core::{Bytes, Condition, Cursor, ErrorKind, Lifetime, Pattern, ScanPage, ScanRequest};

use super::Tried;
use super::values::awkward_keys;
use crate::failure::{ensure, ensure_eq};
use crate::trial::{bytes, refused};
use crate::{Failure, Trial};

/// What Redis 7.0 answers: a pattern, what it matches, what it does not.
const GLOBS: &[(&str, &[&str], &[&str])] = &[
    ("*", &["a", "a:b", "日", "\0", "a\nb"], &[]),
    ("a*", &["a", "ab", "a*"], &["ba", "A"]),
    ("*a", &["a", "ba"], &["ab"]),
    ("*a*", &["a", "bab"], &["b"]),
    ("a*b*c", &["abc", "aXbXc"], &["acb", "ab"]),
    ("a**b", &["ab", "aXb"], &["a"]),
    ("?", &["a", "*", "?"], &["ab", "é"]),
    ("??", &["ab", "é"], &["a", "日"]),
    ("???", &["日"], &["é"]),
    ("a?c", &["abc", "a?c"], &["ac", "aéc"]),
    ("[ab]", &["a", "b"], &["c", "ab", "[ab]"]),
    ("[a-c]x", &["ax", "bx", "cx"], &["dx", "-x"]),
    ("[c-a]", &["a", "b", "c"], &["d", "-"]),
    ("[^a]", &["b", "^"], &["a"]),
    ("[^a-c]", &["d"], &["a", "b", "c"]),
    ("[!a]", &["!", "a"], &["b"]),
    ("[]]", &[], &["]", "[]]", "[]", "]]"]),
    ("[\\]]", &["]"], &["\\", "[\\]]"]),
    ("[a-]", &["a", "]", "^"], &["-", "b"]),
    ("[a", &["a"], &["[a", "b"]),
    ("[^", &["a", "^"], &["ab"]),
    ("[", &[], &["[", "a"]),
    ("[\\-a]", &["-", "a"], &["\\", "b"]),
    ("[a^]", &["a", "^"], &["b"]),
    ("[*]", &["*"], &["a"]),
    ("[?]", &["?"], &["a"]),
    ("\\*", &["*"], &["a", "\\*", "\\"]),
    ("\\?", &["?"], &["a", "\\?"]),
    ("\\[a\\]", &["[a]"], &["a"]),
    ("\\\\", &["\\"], &["\\\\"]),
    ("a\\", &["a\\"], &["a"]),
    ("\\a", &["a"], &["\\a"]),
    ("a]", &["a]"], &["a"]),
    ("a-c", &["a-c"], &["b"]),
    ("{a,b}", &["{a,b}"], &["a", "b"]),
    ("a.c", &["a.c"], &["abc"]),
    ("^a$", &["^a$"], &["a"]),
    ("日*", &["日", "日本"], &["本"]),
    ("[é]", &[], &["é", "è"]),
    ("user:*:name", &["user:1:name", "user::name"], &["user:1", "user:1:names"]),
    // What other kinds of pattern give a meaning.
    ("%", &["%"], &["a", "ab"]),
    ("_", &["_"], &["a", "%"]),
    ("a%", &["a%"], &["a", "ab", "a%b"]),
    ("a_c", &["a_c"], &["abc", "a%c"]),
    ("%*", &["%", "%s"], &["a"]),
    ("a_*", &["a_", "a_b"], &["ab", "abc"]),
    ("*_", &["_", "a_"], &["ab"]),
    ("*%*", &["a%c", "%"], &["abc"]),
    ("[_%]", &["_", "%"], &["a"]),
    ("\\_", &["_"], &["\\_", "a"]),
    ("a\\%*", &["a%", "a%b"], &["ab"]),
    ("a.*", &["a.", "a.c"], &["abc"]),
    ("a'*", &["a'", "a'b"], &["a"]),
    ("a--*", &["a--", "a--b"], &["a"]),
    ("a(b|c)", &["a(b|c)"], &["ab", "ac"]),
    ("ab+", &["ab+"], &["ab", "abb"]),
    ("a\\*b*", &["a*b", "a*bc"], &["aXb", "ab"]),
    ("\\[a\\]*", &["[a]", "[a]b"], &["a", "ab"]),
    ("a[b]*", &["ab", "abc"], &["a[b]"]),
    ("ab\\\\*", &["ab\\", "ab\\c"], &["abc"]),
    // Case, form and blanks count.
    ("k*", &["k", "kelvin"], &["K", "\u{212a}"]),
    ("[a-z]", &["a", "k"], &["A", "K"]),
    ("é*", &["é", "école"], &["É", "e\u{301}"]),
    ("ß*", &["ß"], &["ss", "SS", "ẞ"]),
    ("a ", &["a "], &["a", "a  "]),
    ("a\0*", &["a\0", "a\0b"], &["a", "ab"]),
    ("1", &["1"], &["01", "1.0"]),
    // Where a range of keys ends that begin alike.
    ("a\u{7f}*", &["a\u{7f}", "a\u{7f}b"], &["a", "aé"]),
    ("aé*", &["aé", "aéc"], &["a", "aê"]),
    ("a\u{10ffff}*", &["a\u{10ffff}", "a\u{10ffff}b"], &["a", "b"]),
    ("\u{10ffff}*", &["\u{10ffff}", "\u{10ffff}a"], &["a"]),
];

/// More pages than any walk here has.
const MOST_PAGES: usize = 20_000;

async fn fill(t: &Trial<'_>, keys: impl IntoIterator<Item = String>) -> Result<(), Failure> {
    let pairs: Vec<(String, Bytes)> = keys.into_iter().map(|key| (key, bytes("v"))).collect();
    Ok(t.store().set_many(pairs, Lifetime::Never).await?)
}

fn numbered(prefix: &str, count: usize) -> impl Iterator<Item = String> {
    (0..count).map(move |number| format!("{prefix}{number}"))
}

async fn page(t: &Trial<'_>, cursor: Option<&Cursor>, limit: usize) -> kv_core::Result<ScanPage> {
    let pattern = Pattern::new("*")?;
    t.store().scan(ScanRequest { pattern: &pattern, cursor, limit }).await
}

pub(crate) async fn a_scan_of_an_empty_store_ends(t: &Trial<'_>) -> Tried {
    ensure!(t.walk("*", 10).await?.is_empty(), "an empty store shows keys");
    t.put("k", "v").await?;
    t.store().delete("k", Condition::Always).await?;
    ensure!(t.walk("*", 10).await?.is_empty(), "a deleted key is shown");
    Ok(())
}

pub(crate) async fn a_scan_shows_the_keys_that_match_and_no_other(t: &Trial<'_>) -> Tried {
    fill(t, numbered("a:", 300).chain(numbered("b:", 300))).await?;
    t.put("a:0", "again").await?;
    let mut expected: Vec<String> = numbered("a:", 300).collect();
    expected.sort();
    ensure_eq!(t.scanned("a:*").await?, expected, "scan a:*");
    ensure_eq!(t.scanned("b:17").await?, ["b:17"], "scan b:17");
    ensure_eq!(t.scanned("*").await?.len(), 600, "keys of scan *");
    ensure!(t.scanned("c*").await?.is_empty(), "scan c* shows keys");
    Ok(())
}

pub(crate) async fn a_scan_reads_patterns_as_redis_does(t: &Trial<'_>) -> Tried {
    let texts = GLOBS.iter().flat_map(|(_, yes, no)| yes.iter().chain(*no));
    let all: BTreeSet<String> = texts.map(|text| (*text).to_owned()).collect();
    fill(t, all).await?;
    for (pattern, yes, no) in GLOBS {
        let shown = t.scanned(pattern).await?;
        let is_shown = |key: &str| shown.iter().any(|one| one == key);
        for key in *yes {
            ensure!(is_shown(key), "{pattern:?} does not show {key:?}, which it matches");
        }
        for key in *no {
            ensure!(!is_shown(key), "{pattern:?} shows {key:?}, which it does not match");
        }
    }
    Ok(())
}

pub(crate) async fn a_scan_matches_awkward_keys_literally(t: &Trial<'_>) -> Tried {
    fill(t, awkward_keys()).await?;
    for key in awkward_keys() {
        let shown = t.scanned(&Pattern::escape(&key)).await?;
        ensure_eq!(shown, [key.as_str()], "scan for the escaped key {key:?}");
    }
    Ok(())
}

pub(crate) async fn a_scan_comes_in_bounded_pages(t: &Trial<'_>) -> Tried {
    let count = 3_000;
    fill(t, numbered("k", count)).await?;
    let (mut largest, mut shown, mut cursor) = (0, BTreeSet::new(), None);
    for _ in 0..MOST_PAGES {
        let page = page(t, cursor.as_ref(), 10).await?;
        largest = largest.max(page.keys.len());
        ensure!(largest <= count / 3, "a page of {largest} of {count} keys, asked for about 10");
        shown.extend(page.keys);
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    ensure_eq!(shown.len(), count, "keys shown");
    Ok(())
}

/// While a walk goes on, as many keys come and go as stay.
pub(crate) async fn a_scan_visits_every_key_that_stays(t: &Trial<'_>) -> Tried {
    let stay: BTreeSet<String> = numbered("stay", 400).collect();
    fill(t, stay.iter().cloned().chain(numbered("go", 400))).await?;
    let (mut shown, mut cursor) = (BTreeSet::new(), None);
    // More keys than pages come and go, so that tables grow and shrink meanwhile.
    for round in 0..400 {
        let page = page(t, cursor.as_ref(), 10).await?;
        shown.extend(page.keys);
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
        t.store().delete(&format!("go{round}"), Condition::Always).await?;
        if round < 100 {
            fill(t, (0..20).map(|number| format!("come{round}:{number}"))).await?;
        }
    }
    for _ in 0..MOST_PAGES {
        let Some(open) = cursor else { break };
        let page = page(t, Some(&open), 100).await?;
        shown.extend(page.keys);
        cursor = page.next;
    }
    let missed: Vec<_> = stay.difference(&shown).take(3).collect();
    ensure!(missed.is_empty(), "keys that stayed were not visited, such as {missed:?}");
    Ok(())
}

pub(crate) async fn a_scan_takes_any_limit(t: &Trial<'_>) -> Tried {
    fill(t, numbered("k", 50)).await?;
    for limit in [0, 1, 49, 50, 51, usize::MAX] {
        let shown: BTreeSet<String> = t.walk("k*", limit).await?.into_iter().collect();
        ensure_eq!(shown.len(), 50, "keys shown with a limit of {limit}");
    }
    Ok(())
}

pub(crate) async fn a_foreign_cursor_is_an_error(t: &Trial<'_>) -> Tried {
    fill(t, numbered("k", 50)).await?;
    let foreign = ["", " ", "no cursor", "-1", "1.5", "\0", "é", &"9".repeat(400), "redis:0\r\n"];
    for note in foreign {
        let cursor = Cursor::new(note);
        let what = format!("scan from the cursor {note:?}");
        refused(&what, page(t, Some(&cursor), 10).await, &[ErrorKind::InvalidKey])?;
    }
    // A number may be a place in some store's own sense: an answer is fine, a panic is not.
    for number in ["0", "1", "4611686018427387904", "18446744073709551615"] {
        let _ = page(t, Some(&Cursor::new(number)), 10).await;
    }
    ensure_eq!(t.scanned("k*").await?.len(), 50, "keys shown afterwards");
    Ok(())
}
