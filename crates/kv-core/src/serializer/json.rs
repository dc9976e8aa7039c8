//! JSON that Python's `json` reads and writes.

use std::cell::Cell;
use std::io;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::ser::{CompactFormatter, Formatter};

use super::finite;
use crate::BoxError;

pub(super) fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, BoxError> {
    let mut bytes = Vec::with_capacity(128);
    let null = Cell::new(false);
    let formatter = SeesNull { null: &null };
    value.serialize(&mut serde_json::Serializer::with_formatter(&mut bytes, formatter))?;
    // `None` and NaN both come out as null, so only a value with a null in it is looked at twice.
    if null.get() {
        finite::check(value)?;
    }
    Ok(bytes)
}

pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, BoxError> {
    serde_json::from_slice(bytes).map_err(|error| name_what_python_wrote(bytes, error))
}

/// Python's `json` writes NaN and Infinity, which no JSON reader has to take.
fn name_what_python_wrote(bytes: &[u8], error: serde_json::Error) -> BoxError {
    let words: [&[u8]; 2] = [b"NaN", b"Infinity"];
    let not_finite = |word: &&[u8]| bytes.windows(word.len()).any(|window| window == *word);
    if error.is_syntax() && words.iter().any(not_finite) {
        return format!("{error}: NaN and Infinity are not JSON").into();
    }
    // serde's own text may quote the value, which is nobody's to see.
    match error.classify() {
        serde_json::error::Category::Data => format!(
            "the JSON is of another shape, at line {} column {}",
            error.line(),
            error.column()
        )
        .into(),
        _ => error.into(),
    }
}

struct SeesNull<'a> {
    null: &'a Cell<bool>,
}

impl Formatter for SeesNull<'_> {
    fn write_null<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.null.set(true);
        CompactFormatter.write_null(writer)
    }
}
