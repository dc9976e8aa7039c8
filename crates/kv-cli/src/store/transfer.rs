//! Entries as lines of JSON, out and in.
//!
//! A line has the key, the stored bytes, and the milliseconds that are left. Bytes of UTF-8 are
//! `text`; others are `hex`. So the lines are exact for every serializer, and a person can read
//! most of them.

use std::io::{BufRead, Read as _, stdin};
use std::time::Duration;

use kv_core::{Condition, Expiry, Remaining, SetOptions, Store};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::list::line;
use crate::failure::{Failure, Result};
use crate::output::Output;

/// The longest line that is read: the largest value, each byte of it escaped.
const MOST_LINE: u64 = 128 << 20;

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
    let mut scan = store.scan(pattern);
    while let Some(key) = scan.next().await {
        let key = key?;
        let (Some(value), Some(remaining)) = (store.get_bytes(&key).await?, store.ttl(&key).await?)
        else {
            continue;
        };
        let text = std::str::from_utf8(&value).ok().map(str::to_owned);
        let hex = text.is_none().then(|| encode(&value));
        let expires_in_ms = match remaining {
            Remaining::Forever => None,
            Remaining::Expires(time) => Some(u64::try_from(time.as_millis()).unwrap_or(u64::MAX)),
        };
        line(&json!(Exported { key, text, hex, expires_in_ms }));
    }
    Ok(())
}

pub(super) async fn import(store: &Store, keep: bool, output: &Output) -> Result<()> {
    let (mut written, mut kept) = (0_u64, 0_u64);
    let mut input = stdin().lock();
    for number in 1_u64.. {
        let wrong = |why: String| Failure::Usage(format!("line {number}: {why}"));
        let Some(text) = line_of(&mut input, MOST_LINE).map_err(wrong)? else { break };
        if text.trim().is_empty() {
            continue;
        }
        let entry: Exported = serde_json::from_str(&text).map_err(|error| {
            wrong(format!("no entry of an export, at column {}", error.column()))
        })?;
        match write(store, entry, keep, &wrong).await? {
            true => written += 1,
            false => kept += 1,
        }
    }
    let text = format!("wrote {written}, left {kept} alone");
    output.done(&text, &json!({ "written": written, "kept": kept }));
    Ok(())
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

async fn write(
    store: &Store,
    entry: Exported,
    keep: bool,
    wrong: &impl Fn(String) -> Failure,
) -> Result<bool> {
    let value = match (entry.text, entry.hex) {
        (Some(text), None) => text.into_bytes(),
        (None, Some(hex)) => {
            decode(&hex).ok_or_else(|| wrong("`hex` is not hexadecimal".into()))?
        }
        _ => return Err(wrong("expected `text` or `hex`, and only one of them".into())),
    };
    let expiry = match entry.expires_in_ms {
        None => Expiry::Never,
        Some(0) => return Ok(false),
        Some(milliseconds) => Duration::from_millis(milliseconds).into(),
    };
    let condition = if keep { Condition::Absent } else { Condition::Always };
    let options = SetOptions::new().ttl(expiry).condition(condition);
    Ok(store.set_bytes_with(&entry.key, value, options).await?)
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
    fn bytes_are_hexadecimal_and_back() {
        let bytes: Vec<u8> = (0..=255).collect();
        assert_eq!(decode(&encode(&bytes)), Some(bytes));
        for wrong in ["0", "0g", "+1", "é"] {
            assert_eq!(decode(wrong), None, "{wrong}");
        }
    }
}
