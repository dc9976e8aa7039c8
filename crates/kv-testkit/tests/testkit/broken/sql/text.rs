//! How texts change on their way, and how errors tell too much.

use kv_core::{Bytes, Error};

use crate::broken::slip::{By, Change, Kind, Place, Slip};

pub(super) fn changed(change: Change, value: &Bytes) -> Bytes {
    let text = || String::from_utf8_lossy(value).into_owned();
    match change {
        Change::TrimsTheEnd => Bytes::copy_from_slice(value.trim_ascii_end()),
        Change::TrimsTheStart => Bytes::copy_from_slice(value.trim_ascii_start()),
        Change::CutsAtNul => value.split(|byte| *byte == 0).next().unwrap_or(b"").to_vec().into(),
        Change::CutsAt(most) => value.slice(..most.min(value.len())),
        Change::FoldsAscii => value.to_ascii_lowercase().into(),
        Change::FoldsUnicode => text().to_lowercase().into(),
        Change::ComposesAccents => text().replace("e\u{301}", "é").into(),
        Change::ReadsNumbers => {
            text().parse::<f64>().map_or(value.clone(), |n| n.to_string().into())
        }
        Change::LosesBytes => text().into(),
        Change::DropsMarks => text().replace(['\u{feff}', '\u{200b}'], "").into(),
    }
}

pub(super) fn changed_key(change: Change, key: &str) -> String {
    let mut most = if let Change::CutsAt(most) = change { most.min(key.len()) } else { key.len() };
    while !key.is_char_boundary(most) {
        most -= 1;
    }
    let key = changed(change, &Bytes::copy_from_slice(&key.as_bytes()[..most]));
    String::from_utf8_lossy(&key).into_owned()
}

/// The error, as a store with a slip about values tells it.
pub(super) fn leaks(slip: Option<Slip>, kind: Kind, by: By, error: Error, value: &[u8]) -> Error {
    let text = String::from_utf8_lossy(value).into_owned();
    match slip {
        Some(Slip::SaysMaybe(one, route)) if (one, route) == (kind, by) => error.maybe_applied(),
        Some(Slip::ShowsAValue(place, one, route)) if (one, route) == (kind, by) => match place {
            Place::Message => Error::new(error.kind(), format!("{}: {text}", error.message())),
            Place::Source => error.because(format!("cannot bind {text:?}")),
            Place::SourceAsBytes => error.because(format!("cannot bind {value:?}")),
        },
        _ => error,
    }
}
