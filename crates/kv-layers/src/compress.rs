//! Compress: large values take less room and less of the connection.

use kv_core::{Bytes, Error, ErrorKind, KeyValueStore, Result};
use zstd::bulk::{Compressor, Decompressor};

use crate::coded::{Codec, Coded};

/// The first bytes of what zstd writes.
const MAGIC: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];

/// The largest value that is decompressed: as much as any backend takes.
const MOST_BYTES: u64 = 512 << 20;

/// Compresses values of a size and more with zstd.
///
/// Smaller values, and values that would not become smaller, are stored as they are; so are
/// counters. A store that holds uncompressed values can get this layer at any time: it reads them
/// too. Without the layer a program reads compressed values as bytes of zstd, with a checksum.
///
/// A store with this layer refuses queues: open them on the store without it.
///
/// ```
/// use kv_core::{KeyValueStore, Store};
/// use kv_layers::Compress;
/// use kv_memory::MemoryStore;
/// # kv_testkit::runtime()?.block_on(async {
/// let memory = MemoryStore::new();
/// let store = Store::from(Compress::above(100).on(memory.clone()));
/// store.set("text", &"word ".repeat(1_000)).await?;
/// let stored = memory.get("text").await?.expect("it was just set").value;
/// assert!(stored.len() < 100);
/// assert_eq!(store.get("text").await?, Some("word ".repeat(1_000)));
/// # Ok::<(), kv_core::Error>(()) }).unwrap();
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Compress {
    above: usize,
    level: i32,
}

impl Compress {
    /// Compresses values of this many bytes and more.
    pub fn above(bytes: usize) -> Self {
        Self { above: bytes, level: zstd::DEFAULT_COMPRESSION_LEVEL }
    }

    /// How hard zstd tries, from 1 to 22; 3 by default. More takes longer.
    pub fn level(self, level: i32) -> Self {
        Self { level: level.clamp(1, 22), ..self }
    }

    /// The store with this layer around it.
    pub fn on(self, store: impl KeyValueStore) -> Box<dyn KeyValueStore> {
        Box::new(Coded { codec: self, store: Box::new(store) })
    }

    fn compress(&self, value: &[u8]) -> std::io::Result<Vec<u8>> {
        let mut compressor = Compressor::new(self.level)?;
        compressor.include_checksum(true)?;
        compressor.compress(value)
    }
}

fn failed(what: &'static str) -> Error {
    Error::new(ErrorKind::Serialization, what)
}

impl Codec for Compress {
    const KEEPS_NUMBERS: bool = true;
    const NO_QUEUES: &'static str =
        "jobs are not compressed; open the queue on the store without the layer `compress`";

    fn encode(&self, _: &str, value: Bytes) -> Result<Bytes> {
        let looks_compressed = value.starts_with(&MAGIC);
        if value.len() < self.above && !looks_compressed {
            return Ok(value);
        }
        let compressed = self
            .compress(&value)
            .map_err(|error| failed("layer `compress`: zstd refuses the value").because(error))?;
        let is_smaller = compressed.len() < value.len();
        Ok(if is_smaller || looks_compressed { compressed.into() } else { value })
    }

    fn decode(&self, _: &str, stored: Bytes) -> Result<Bytes> {
        if !stored.starts_with(&MAGIC) {
            return Ok(stored);
        }
        let damaged = "layer `compress`: the value is cut or damaged; expected what zstd wrote";
        let size = zstd::zstd_safe::get_frame_content_size(&stored);
        let size = size.ok().flatten().ok_or_else(|| failed(damaged))?;
        let Some(size) = usize::try_from(size).ok().filter(|_| size <= MOST_BYTES) else {
            let message =
                format!("layer `compress`: a value of {size} bytes; expected at most {MOST_BYTES}");
            return Err(Error::new(ErrorKind::TooLarge, message));
        };
        let value = Decompressor::new().and_then(|mut it| it.decompress(&stored, size));
        value.map(Bytes::from).map_err(|error| failed(damaged).because(error))
    }
}
