//! MessagePack, looked over before it is decoded.
//!
//! rmp-serde accepts bytes behind the value, does not count the depth of enums, and by default
//! takes a depth that overflows a stack. So the structure is walked first, without recursion.
//! Source: <https://github.com/msgpack/msgpack/blob/master/spec.md>.

use rmp_serde::decode::Error as DecodeError;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{MAX_DEPTH, faithful, shape};
use crate::BoxError;

pub(super) fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, BoxError> {
    faithful::encode(value, false, |value| {
        let mut bytes = Vec::with_capacity(128);
        rmp_serde::encode::write_named(&mut bytes, value).map_err(|_| super::json::REFUSED)?;
        check(&bytes)?;
        Ok(bytes)
    })
}

pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, BoxError> {
    check(bytes)?;
    rmp_serde::from_slice(bytes).map_err(|error| words(&error).into())
}

/// The decoder's own words, without the values that they quote, which are nobody's to see.
fn words(error: &DecodeError) -> String {
    match error {
        DecodeError::Syntax(text) | DecodeError::Uncategorized(text) => {
            let words = shape::without_values(text);
            words.unwrap_or_else(|| "the MessagePack is of another shape".to_owned())
        }
        // The marker of a small number has the number in it.
        DecodeError::TypeMismatch(marker) => {
            let marker = format!("{marker:?}");
            let name = marker.split('(').next().unwrap_or_default();
            format!("wrong msgpack marker {name}")
        }
        DecodeError::OutOfRange
        | DecodeError::LengthMismatch(_)
        | DecodeError::Utf8Error(_)
        | DecodeError::DepthLimitExceeded
        | DecodeError::InvalidMarkerRead(_)
        | DecodeError::InvalidDataRead(_) => error.to_string(),
    }
}

/// Exactly one value, whole, of bounded depth.
fn check(bytes: &[u8]) -> Result<(), BoxError> {
    let mut rest = bytes;
    // How many values each open array or map still lacks.
    let mut open: Vec<u64> = Vec::new();
    loop {
        let children = skip_head(&mut rest).ok_or("the MessagePack ends within a value")?;
        if children > 0 {
            if open.len() == MAX_DEPTH {
                return Err(super::too_deep());
            }
            open.push(children);
        } else if complete(&mut open) {
            break;
        }
    }
    if rest.is_empty() { Ok(()) } else { Err("bytes follow the MessagePack value".into()) }
}

/// Counts one value as read; whether that was the last one.
fn complete(open: &mut Vec<u64>) -> bool {
    while let Some(lacking) = open.last_mut() {
        *lacking -= 1;
        if *lacking > 0 {
            return false;
        }
        open.pop();
    }
    true
}

/// Skips a value's head and its own bytes; the number of values inside it.
fn skip_head(rest: &mut &[u8]) -> Option<u64> {
    let marker = number(rest, 1)?;
    match marker {
        0x80..=0x8f => return Some(2 * (marker & 0x0f)),
        0x90..=0x9f => return Some(marker & 0x0f),
        0xdc => return number(rest, 2),
        0xdd => return number(rest, 4),
        0xde => return Some(2 * number(rest, 2)?),
        0xdf => return Some(2 * number(rest, 4)?),
        _ => {}
    }
    let length = match marker {
        0xa0..=0xbf => marker & 0x1f,
        0xc4 | 0xd9 => number(rest, 1)?,
        0xc5 | 0xda => number(rest, 2)?,
        0xc6 | 0xdb => number(rest, 4)?,
        0xc7 => 1 + number(rest, 1)?,
        0xc8 => 1 + number(rest, 2)?,
        0xc9 => 1 + number(rest, 4)?,
        0xcc | 0xd0 => 1,
        0xcd | 0xd1 => 2,
        0xca | 0xce | 0xd2 => 4,
        0xcb | 0xcf | 0xd3 => 8,
        0xd4..=0xd8 => 1 + (1 << (marker - 0xd4)),
        0xc1 => return None,
        _ => 0,
    };
    *rest = rest.get(usize::try_from(length).ok()?..)?;
    Some(0)
}

/// The next bytes as a big-endian number.
fn number(rest: &mut &[u8], bytes: usize) -> Option<u64> {
    let (head, tail) = rest.split_at_checked(bytes)?;
    *rest = tail;
    Some(head.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_the_format_is_walked_over() {
        let values = serde_json::json!([
            null, true, 1, -1, 200, 70_000, 5_000_000_000_u64, -200, -70_000, 1.5,
            "a", "b".repeat(40), "c".repeat(300), "d".repeat(70_000),
            vec![0; 20], vec![0; 70_000], {"k": {"k": []}}, {},
        ]);
        let bytes = encode(&values).unwrap();
        assert_eq!(decode::<serde_json::Value>(&bytes).unwrap(), values);
    }

    #[test]
    fn bytes_behind_the_value_and_a_value_cut_short_are_refused() {
        let bytes = encode(&("abc", [1, 2])).unwrap();
        for end in 0..bytes.len() {
            assert!(check(&bytes[..end]).is_err(), "cut at {end}");
        }
        let longer = [bytes.as_slice(), &[0xc0]].concat();
        assert!(check(&bytes).is_ok() && check(&longer).is_err());
    }

    #[test]
    fn the_decoders_own_words_are_kept_and_no_value() {
        #[derive(Debug, serde::Deserialize)]
        struct Member {
            #[expect(dead_code, reason = "it is never read")]
            mail: String,
        }
        #[derive(Debug, serde::Deserialize)]
        enum Level {
            Low,
        }
        let said = |error: BoxError| error.to_string();
        let nobody = encode(&serde_json::json!({"name": "hunter2"})).unwrap();
        assert_eq!(said(decode::<Member>(&nobody).unwrap_err()), "missing field `mail`");
        let text = encode("hunter2").unwrap();
        assert_eq!(said(decode::<u32>(&text).unwrap_err()), "wrong msgpack marker FixStr");
        for error in [
            said(decode::<Level>(&encode(&77).unwrap()).unwrap_err()),
            said(decode::<String>(&encode(&77).unwrap()).unwrap_err()),
            said(decode::<(u8, u8, u8)>(&encode(&(77, 77)).unwrap()).unwrap_err()),
        ] {
            assert!(!error.contains("77") && !error.contains("another shape"), "{error}");
        }
        let error = said(decode::<String>(&[0xa2, 0xff, 0xff]).unwrap_err());
        assert!(error.contains("utf-8"), "{error}");
    }

    #[test]
    fn depth_is_bounded_and_a_lying_length_costs_nothing() {
        let nested = |depth: usize| [vec![0x91; depth], vec![0xc0]].concat();
        assert!(check(&nested(MAX_DEPTH)).is_ok());
        assert!(check(&nested(MAX_DEPTH + 1)).is_err());
        assert!(check(&[0xdd, 0xff, 0xff, 0xff, 0xff]).is_err());
        assert!(check(&[0xdb, 0xff, 0xff, 0xff, 0xff]).is_err());
        assert!(check(&[0xc1]).is_err());
    }
}
