//! Entries as lines of JSON, out and in.
//!
//! A line has the key, the stored bytes, and the milliseconds that are left. Bytes of UTF-8 are
//! `text`; others are `hex`. So the lines are exact for every serializer, and a person can read
//! most of them.

use std::collections::HashSet;
use std::io::{BufRead, Read as _, stdin};
use std::time::Duration;

use futures_util::future::{try_join, try_join_all};
use futures_util::stream::{StreamExt as _, TryStreamExt as _};
use kv_core::{Condition, Expiry, Remaining, SetOptions, Store};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::list::line;
use crate::failure::{Failure, Result};
use crate::output::Output;

/// The longest line that is read: the largest value, each byte of it escaped.
const MOST_LINE: u64 = 128 << 20;

/// How many entries are under way at a time, at most.
const AT_ONCE: usize = 64;

/// How many bytes of lines are read ahead, beyond the first.
const BYTES_AHEAD: usize = 4 << 20;

/// An entry in a line.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Exported {
    key: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    hex: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    expires_in_ms: Option<u64>,
}

pub(super) async fn export(store: &Store, pattern: &str) -> Result<()> {
    let keys = store.scan(pattern);
    let mut entries = keys.map(|key| async { exported(store, key?).await }).buffered(AT_ONCE);
    while let Some(entry) = entries.try_next().await? {
        entry.iter().for_each(|entry| line(&json!(entry)));
    }
    Ok(())
}

/// An entry as a line has it; nothing if it is gone by now.
async fn exported(store: &Store, key: String) -> Result<Option<Exported>> {
    let (value, remaining) = try_join(store.get_bytes(&key), store.ttl(&key)).await?;
    let (Some(value), Some(remaining)) = (value, remaining) else { return Ok(None) };
    let text = std::str::from_utf8(&value).ok().map(str::to_owned);
    let hex = text.is_none().then(|| encode(&value));
    let expires_in_ms = match remaining {
        Remaining::Forever => None,
        Remaining::Expires(time) => Some(u64::try_from(time.as_millis()).unwrap_or(u64::MAX)),
    };
    Ok(Some(Exported { key, text, hex, expires_in_ms }))
}

/// Writes what standard input has. A line that is wrong ends it; the lines before are written.
pub(super) async fn import(store: &Store, keep: bool, output: &Output) -> Result<()> {
    let (mut written, mut kept) = (0_u64, 0_u64);
    let mut lines = Lines { input: stdin().lock(), number: 0, next: None };
    loop {
        let (entries, wrong) = lines.some();
        let is_over = entries.is_empty();
        let writes = entries.into_iter().map(|entry| write(store, entry, keep));
        for was_written in try_join_all(writes).await? {
            *if was_written { &mut written } else { &mut kept } += 1;
        }
        wrong.map_or(Ok(()), Err)?;
        if is_over {
            break;
        }
    }
    let text = format!("wrote {written}, left {kept} alone");
    output.done(&text, &json!({ "written": written, "kept": kept }));
    Ok(())
}

/// An entry to write.
struct Imported {
    key: String,
    value: Vec<u8>,
    /// Nothing for an entry that had less than a millisecond left.
    expiry: Option<Expiry>,
}

/// The lines of an import.
struct Lines<I> {
    input: I,
    number: u64,
    /// An entry that has the key of one before it, so it has to wait.
    next: Option<Imported>,
}

impl<I: BufRead> Lines<I> {
    /// The next entries, each with a key of its own: none at the end. And what is wrong with the
    /// line behind them.
    fn some(&mut self) -> (Vec<Imported>, Option<Failure>) {
        let (mut entries, mut keys, mut bytes) = (Vec::new(), HashSet::new(), 0);
        while entries.len() < AT_ONCE && bytes < BYTES_AHEAD {
            let entry = match self.next.take().map_or_else(|| self.read(), |it| Ok(Some(it))) {
                Ok(Some(entry)) => entry,
                Ok(None) => break,
                Err(wrong) => return (entries, Some(wrong)),
            };
            if !keys.insert(entry.key.clone()) {
                self.next = Some(entry);
                break;
            }
            bytes += entry.value.len();
            entries.push(entry);
        }
        (entries, None)
    }

    fn read(&mut self) -> Result<Option<Imported>> {
        loop {
            self.number += 1;
            let wrong = |why: String| Failure::Usage(format!("line {}: {why}", self.number));
            let Some(text) = line_of(&mut self.input, MOST_LINE).map_err(wrong)? else {
                return Ok(None);
            };
            if !text.trim().is_empty() {
                return imported(&text).map(Some).map_err(wrong);
            }
        }
    }
}

/// The next line, of at most so many bytes; nothing at the end.
fn line_of(input: &mut impl BufRead, most: u64) -> std::result::Result<Option<String>, String> {
    let mut text = String::new();
    let read = input.take(most + 1).read_line(&mut text).map_err(|error| error.to_string())?;
    if text.len() as u64 > most {
        return Err(format!("longer than {most} bytes"));
    }
    Ok((read > 0).then_some(text))
}

fn imported(text: &str) -> std::result::Result<Imported, String> {
    let entry: Exported = serde_json::from_str(text)
        .map_err(|error| format!("no entry of an export, at column {}", error.column()))?;
    let value = match (entry.text, entry.hex) {
        (Some(text), None) => text.into_bytes(),
        (None, Some(hex)) => decode(&hex).ok_or("`hex` is not hexadecimal")?,
        _ => return Err("expected `text` or `hex`, and only one of them".into()),
    };
    let expiry = match entry.expires_in_ms {
        None => Some(Expiry::Never),
        Some(0) => None,
        Some(milliseconds) => Some(Duration::from_millis(milliseconds).into()),
    };
    Ok(Imported { key: entry.key, value, expiry })
}

/// Writes an entry; whether it did.
async fn write(store: &Store, entry: Imported, keep: bool) -> Result<bool> {
    let Some(expiry) = entry.expiry else { return Ok(false) };
    let condition = if keep { Condition::Absent } else { Condition::Always };
    let options = SetOptions::new().ttl(expiry).condition(condition);
    Ok(store.set_bytes_with(&entry.key, entry.value, options).await?)
}

fn encode(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn decode(hex: &str) -> Option<Vec<u8>> {
    let is_hexadecimal = hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_hexadecimal || hex.len() % 2 == 1 {
        return None;
    }
    let pairs = (0..hex.len()).step_by(2).map(|at| hex.get(at..at + 2));
    pairs.map(|pair| u8::from_str_radix(pair?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_up_to_its_bound() {
        let mut input = &b"abc\nlonger\n"[..];
        assert_eq!(line_of(&mut input, 4), Ok(Some("abc\n".to_owned())));
        assert_eq!(line_of(&mut input, 4), Err("longer than 4 bytes".to_owned()));
        assert_eq!(line_of(&mut &b""[..], 4), Ok(None));
    }

    #[test]
    fn entries_come_together_but_for_a_key_that_comes_again_and_a_wrong_line() {
        let text = "{\"key\":\"a\",\"text\":\"1\"}\n\n{\"key\":\"b\",\"hex\":\"ff\"}\n\
                    {\"key\":\"a\",\"text\":\"2\"}\n{\"key\":\"c\"}\n";
        let mut lines = Lines { input: text.as_bytes(), number: 0, next: None };
        let keys = |some: &[Imported]| some.iter().map(|it| it.key.clone()).collect::<String>();
        let (first, wrong) = lines.some();
        assert!(keys(&first) == "ab" && wrong.is_none());
        let (second, wrong) = lines.some();
        assert_eq!((keys(&second).as_str(), second[0].value.as_slice()), ("a", &b"2"[..]));
        let wrong = wrong.unwrap().to_string();
        assert!(wrong.contains("line 5: expected `text` or `hex`"), "{wrong}");
        assert!(lines.some().0.is_empty());
    }

    #[test]
    fn bytes_are_hexadecimal_and_back() {
        let bytes: Vec<u8> = (0..=255).collect();
        assert_eq!(decode(&encode(&bytes)), Some(bytes));
        for wrong in ["0", "0g", "+1", "é"] {
            assert_eq!(decode(wrong), None, "{wrong}");
        }
    }
}
