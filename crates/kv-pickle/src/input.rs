//! The bytes that are not read yet. No length is trusted before the bytes are there.

use crate::error::{Error, Result};

pub(crate) struct Input<'a> {
    rest: &'a [u8],
}

impl<'a> Input<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// How many bytes are left.
    pub(crate) fn left(&self) -> usize {
        self.rest.len()
    }

    pub(crate) fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let (head, tail) = self.rest.split_at_checked(length).ok_or_else(ends_within)?;
        self.rest = tail;
        Ok(head)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (head, tail) = self.rest.split_first_chunk().ok_or_else(ends_within)?;
        self.rest = tail;
        Ok(*head)
    }

    pub(crate) fn byte(&mut self) -> Result<u8> {
        self.array().map(u8::from_le_bytes)
    }

    /// A number of this many bytes, the lowest first. Some lengths in pickles are signed; a
    /// negative length becomes a length beyond the bytes that are left.
    pub(crate) fn number(&mut self, bytes: usize) -> Result<u64> {
        let digits = self.take(bytes)?;
        Ok(digits.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    /// The bytes after their length, which is a number of this many bytes.
    pub(crate) fn counted(&mut self, bytes: usize) -> Result<&'a [u8]> {
        let length = self.number(bytes)?;
        self.take(usize::try_from(length).map_err(|_| ends_within())?)
    }

    /// Up to the next line break, which is skipped.
    pub(crate) fn line(&mut self) -> Result<&'a [u8]> {
        let end = self.rest.iter().position(|byte| *byte == b'\n').ok_or_else(ends_within)?;
        let line = self.take(end)?;
        self.byte()?;
        Ok(line)
    }

    /// A line of ASCII, as numbers and names are.
    pub(crate) fn word(&mut self) -> Result<&'a str> {
        let line = self.line()?;
        let word = std::str::from_utf8(line).ok().filter(|word| word.is_ascii());
        word.ok_or_else(|| "a number or a name is not ASCII".into())
    }
}

fn ends_within() -> Error {
    "the pickle ends within a value".into()
}
