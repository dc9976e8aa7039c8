//! Entries that belong to tags, and end when one of their tags is invalidated.
//!
//! A tag has a stamp, a random text under a key of the library. An entry with tags is stored with the
//! stamp of each; a read of it compares them. Invalidating a tag deletes its stamp: the entries stay
//! where they are, and no read gives one of them any more. A stamp that is evicted or lost ends its
//! entries too.

use std::collections::HashMap;

use super::Store;
use crate::{
    Bytes, Capabilities, Condition, Entry, Error, ErrorKind, RESERVED, Reply, Result, Version,
    Write,
};

/// The first bytes of an entry with tags. No JSON, MessagePack or pickle begins with the first; bytes
/// of other kinds that begin with all of them are stored as an entry without tags.
const MAGIC: [u8; 4] = [0xC1, b'k', b'v', 1];
/// The most tags of an entry.
const MOST_TAGS: usize = 16;
/// The most bytes of a tag, its namespace included.
const MOST_TAG_BYTES: usize = 512;

/// A tag's name, namespace included, and its stamp.
pub(super) type Stamp = (String, Bytes);

impl Store {
    /// Ends every entry that was stored with the tag, in constant time: after this call no read of a
    /// value gives one of them. Tags belong to the namespace of the store.
    ///
    /// Set tags with [`SetOptions::tag`](crate::SetOptions::tag) or
    /// [`CacheOptions::tag`](crate::CacheOptions::tag). The entries stay until they expire or are
    /// written, so `exists`, `ttl`, `keys` and `scan` still show them. Reading an entry with tags
    /// takes a second round trip, for all its tags together; an entry without tags costs nothing. A
    /// load that is under way gives its callers what it loads, and does not keep it. Other programs
    /// see an entry with tags as bytes of this library.
    ///
    /// ```
    /// use kv_core::{SetOptions, Store};
    /// use kv_memory::MemoryStore;
    ///
    /// # kv_testkit::runtime()?.block_on(async {
    /// let store = Store::new(MemoryStore::new());
    /// let tagged = || SetOptions::new().tag("product:7").tag("prices");
    /// store.set_with("page:a", "a", tagged()).await?;
    /// store.set_with("page:b", "b", tagged()).await?;
    /// assert_eq!(store.get("page:a").await?, Some("a".to_owned()));
    /// store.invalidate("prices").await?;
    /// assert_eq!(store.get_many::<String>(["page:a", "page:b"]).await?, [None, None]);
    /// # Ok::<(), kv_core::Error>(()) }).unwrap();
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// `InvalidKey` or `TooLarge` for a tag that can be no part of a key.
    ///
    /// # Cancel safety
    /// A dropped future may have invalidated the tag.
    pub async fn invalidate(&self, tag: &str) -> Result<()> {
        let about = |error: Error| error.operation("invalidate").key(tag);
        let key = self.reserved_key("tag", tag).map_err(about)?;
        self.shared.cache.forget_all();
        let deleted = self.backend()?.delete(&key, Condition::Always).await;
        self.shared.cache.forget_all();
        deleted.map(drop).map_err(about)
    }

    /// The stamps of tags, made where there are none.
    pub(super) async fn stamps(&self, tags: &[String]) -> Result<Vec<Stamp>> {
        if tags.is_empty() {
            return Ok(Vec::new());
        }
        self.require(Capabilities::CONDITIONS, "tags", "set")?;
        let place = [self.shared.backend.key_prefix(), RESERVED, "tag:"].concat();
        let keys = tags.iter().map(|tag| self.reserved_key("tag", tag));
        let keys = keys.collect::<Result<Vec<_>>>()?;
        let names = keys.iter().map(|key| key.strip_prefix(&place).unwrap_or(key).to_owned());
        let names: Vec<String> = names.collect();
        check(&names).map_err(|error| self.told(error))?;
        let found = self.stored_stamps(&keys).await?;
        let mut stamps = Vec::with_capacity(tags.len());
        for ((name, key), found) in names.into_iter().zip(&keys).zip(found) {
            let stamp = match found {
                Some(stamp) => stamp,
                None => self.new_stamp(key).await?,
            };
            stamps.push((name, stamp));
        }
        Ok(stamps)
    }

    async fn stored_stamps(&self, keys: &[String]) -> Result<Vec<Option<Bytes>>> {
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let found = self.backend()?.get_many(&keys).await?;
        Ok(found.into_iter().map(|entry| entry.map(|entry| entry.value)).collect())
    }

    async fn new_stamp(&self, key: &str) -> Result<Bytes> {
        let stamp = Bytes::from(format!("{:016x}", self.conditions.number()));
        let write = Write::ALWAYS.condition(Condition::Absent);
        if self.backend()?.set(key, stamp.clone(), write).await?.is_written() {
            return Ok(stamp);
        }
        // Somebody else was first. If that stamp is gone again, ours is of a tag that has ended.
        Ok(self.backend()?.get(key).await?.map_or(stamp, |entry| entry.value))
    }

    /// The bytes of a value as they are stored.
    pub(super) async fn tagged(&self, bytes: Bytes, tags: &[String]) -> Result<Bytes> {
        Ok(wrap(bytes, &self.stamps(tags).await?))
    }

    /// A value as it is stored with its tags.
    pub(super) async fn with_tags(
        &self,
        key: &str,
        value: Bytes,
        tags: &[String],
    ) -> Result<Bytes> {
        if tags.is_empty() && !is_wrapped(&value) {
            return Ok(value);
        }
        self.tagged(value, tags).await.map_err(|error| error.operation("set").key(key))
    }

    /// The bytes of an entry's value, unless one of its tags has ended; and the entry's version.
    pub(super) async fn live(&self, entry: Entry) -> Result<(Option<Bytes>, Version)> {
        if !is_wrapped(&entry.value) {
            return Ok((Some(entry.value), entry.version));
        }
        let mut live = Box::pin(self.live_all(vec![Some(entry)])).await?;
        match live.pop().flatten() {
            Some(live) => Ok(live),
            None => Err(damaged()),
        }
    }

    /// As [`live`](Self::live), of many entries; the stamps of all in one round trip.
    pub(super) async fn live_all(
        &self,
        entries: Vec<Option<Entry>>,
    ) -> Result<Vec<Option<(Option<Bytes>, Version)>>> {
        let mut opened = Vec::with_capacity(entries.len());
        let mut stamps: HashMap<String, Option<Bytes>> = HashMap::new();
        for entry in entries {
            let entry = entry.map(|entry| Ok::<_, Error>((unwrap(&entry.value)?, entry.version)));
            let entry = entry.transpose().map_err(|error| self.told(error))?;
            if let Some((wrapped, _)) = &entry {
                stamps.extend(wrapped.stamps.iter().map(|(name, _)| (name.clone(), None)));
            }
            opened.push(entry);
        }
        if !stamps.is_empty() {
            let names: Vec<String> = stamps.keys().cloned().collect();
            let place = [self.shared.backend.key_prefix(), RESERVED, "tag:"].concat();
            let keys: Vec<String> = names.iter().map(|name| [&place, &**name].concat()).collect();
            stamps = names.into_iter().zip(self.stored_stamps(&keys).await?).collect();
        }
        let is_live =
            |(name, stamp): &Stamp| stamps.get(name).and_then(Option::as_ref) == Some(stamp);
        let live = |(wrapped, version): (Wrapped, Version)| {
            let is_live = wrapped.stamps.iter().all(is_live);
            (is_live.then_some(wrapped.value), version)
        };
        Ok(opened.into_iter().map(|entry| entry.map(live)).collect())
    }

    /// Takes the tags off the entries of a batch.
    pub(super) async fn live_replies(
        &self,
        mut replies: Vec<Result<Reply>>,
    ) -> Result<Vec<Result<Reply>>> {
        for reply in &mut replies {
            if let Ok(Reply::Entry(Some(entry))) = reply
                && is_wrapped(&entry.value)
            {
                let live = self.live(entry.clone()).await;
                *reply = live.map(|(value, version)| {
                    Reply::Entry(value.map(|value| Entry { value, version }))
                });
            }
        }
        Ok(replies)
    }
}

/// Stored bytes, taken apart.
struct Wrapped {
    stamps: Vec<Stamp>,
    value: Bytes,
}

pub(super) fn is_wrapped(bytes: &[u8]) -> bool {
    bytes.starts_with(&MAGIC)
}

fn check(names: &[String]) -> Result<()> {
    if names.len() > MOST_TAGS {
        let message = format!("{} tags; expected at most {MOST_TAGS}", names.len());
        return Err(Error::new(ErrorKind::TooLarge, message));
    }
    match names.iter().map(String::len).find(|length| *length > MOST_TAG_BYTES) {
        Some(length) => {
            let message = format!(
                "a tag of {length} bytes with its namespace; expected at most {MOST_TAG_BYTES}"
            );
            Err(Error::new(ErrorKind::TooLarge, message))
        }
        None => Ok(()),
    }
}

/// Bytes with the stamps of their tags before them: the magic, the number of tags, and for each the
/// length of its name (two bytes), the name, the length of its stamp (one byte) and the stamp.
pub(super) fn wrap(bytes: Bytes, stamps: &[Stamp]) -> Bytes {
    if stamps.is_empty() && !is_wrapped(&bytes) {
        return bytes;
    }
    let mut wrapped = MAGIC.to_vec();
    wrapped.push(u8::try_from(stamps.len()).unwrap_or(u8::MAX));
    for (name, stamp) in stamps {
        wrapped.extend(u16::try_from(name.len()).unwrap_or(u16::MAX).to_be_bytes());
        wrapped.extend(name.as_bytes());
        wrapped.push(u8::try_from(stamp.len()).unwrap_or(u8::MAX));
        wrapped.extend(&**stamp);
    }
    wrapped.extend(&*bytes);
    Bytes::from(wrapped)
}

fn unwrap(bytes: &Bytes) -> Result<Wrapped> {
    if !is_wrapped(bytes) {
        return Ok(Wrapped { stamps: Vec::new(), value: bytes.clone() });
    }
    let mut rest = bytes.slice(MAGIC.len()..);
    let count = take(&mut rest, 1)?.first().copied().unwrap_or(0);
    let mut stamps = Vec::new();
    for _ in 0..count {
        let length = take(&mut rest, 2)?.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
        let name = take(&mut rest, length)?;
        let name = std::str::from_utf8(&name).map_err(|_| damaged())?.to_owned();
        let length = take(&mut rest, 1)?.first().copied().unwrap_or(0);
        stamps.push((name, take(&mut rest, usize::from(length))?));
    }
    Ok(Wrapped { stamps, value: rest })
}

/// The first bytes, taken off.
fn take(rest: &mut Bytes, count: usize) -> Result<Bytes> {
    if count <= rest.len() { Ok(rest.split_to(count)) } else { Err(damaged()) }
}

fn damaged() -> Error {
    let message = "the tags of the entry are cut or damaged; expected what `set` with tags wrote";
    Error::new(ErrorKind::Serialization, message)
}
