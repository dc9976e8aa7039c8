//! JSON that Python's `json` reads and writes.

use std::cell::Cell;
use std::io;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::ser::{CompactFormatter, Formatter};

use super::{MAX_DEPTH, faithful, shape};
use crate::BoxError;

/// In place of what a type says of its refusal, which may quote the value.
pub(super) const REFUSED: &str = "a part of the value cannot be written in this format";

pub(super) fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, BoxError> {
    faithful::encode(value, true, |value| {
        let mut bytes = Vec::with_capacity(128);
        let deepest = Cell::new(0);
        let formatter = Watchful { deepest: &deepest, depth: 0 };
        let mut json = serde_json::Serializer::with_formatter(&mut bytes, formatter);
        value.serialize(&mut json).map_err(|_| REFUSED)?;
        if deepest.get() > MAX_DEPTH { Err(super::too_deep()) } else { Ok(bytes) }
    })
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
        serde_json::error::Category::Data => {
            let (line, column) = (error.line(), error.column());
            let place = format!(" at line {line} column {column}");
            let text = error.to_string();
            let words = shape::without_values(text.strip_suffix(&place).unwrap_or(&text));
            let words = words.unwrap_or_else(|| "the JSON is of another shape,".to_owned());
            format!("{words}{place}").into()
        }
        _ => error.into(),
    }
}

/// Writes compact JSON, and notes how deep it goes.
struct Watchful<'a> {
    deepest: &'a Cell<usize>,
    depth: usize,
}

impl Watchful<'_> {
    fn enter(&mut self) {
        self.depth += 1;
        self.deepest.set(self.deepest.get().max(self.depth));
    }
}

impl Formatter for Watchful<'_> {
    fn begin_array<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.enter();
        CompactFormatter.begin_array(writer)
    }

    fn end_array<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth = self.depth.saturating_sub(1);
        CompactFormatter.end_array(writer)
    }

    fn begin_object<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.enter();
        CompactFormatter.begin_object(writer)
    }

    fn end_object<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth = self.depth.saturating_sub(1);
        CompactFormatter.end_object(writer)
    }
}
