//! Encrypt: values that only holders of a key can read or write.

use std::fmt;

use chacha20poly1305::aead::rand_core::RngCore;
use chacha20poly1305::aead::{Aead, OsRng, Payload};
use chacha20poly1305::{Key, KeyInit, XChaCha20Poly1305, XNonce};
use kv_core::{Bytes, Error, ErrorKind, KeyValueStore, Result};

use crate::coded::{Codec, Coded};

/// The first bytes of an encrypted value; no JSON, MessagePack or pickle begins with the first.
const MAGIC: [u8; 4] = [0xC1, b'k', b'v', b'e'];
const ID_BYTES: usize = 8;
const NONCE_BYTES: usize = 24;
const TAG_BYTES: usize = 16;

/// Encrypts every value, with a new random nonce each time, and binds it to its key.
///
/// A value that was changed, cut, or copied under another key does not decrypt, and neither does one
/// that was never encrypted: each is an error. Names of keys, lifetimes and sizes are not hidden. An
/// old copy of a value under its own key is not noticed.
///
/// To change the key, give the new one to [`with`](Self::with) and the old one to
/// [`old_key`](Self::old_key) in every process, until every value was written anew or has expired.
/// In the first step, while some processes still write with the old key, give the new one as the old
/// key.
///
/// A counter is encrypted too, so `increment` is a conditional write. A store with this layer
/// refuses queues: open them on the store without it.
///
/// ```
/// use kv_core::{KeyValueStore, Store};
/// use kv_layers::{Encrypt, EncryptionKey};
/// use kv_memory::MemoryStore;
/// # kv_testkit::runtime()?.block_on(async {
/// let memory = MemoryStore::new();
/// let key = EncryptionKey::from_bytes([7; 32]);
/// let store = Store::from(Encrypt::with(key).on(memory.clone()));
/// store.set("secret", "token").await?;
/// assert_eq!(store.get("secret").await?, Some("token".to_owned()));
/// let stored = memory.get("secret").await?.expect("it was just set").value;
/// assert!(!stored.windows(5).any(|part| part == b"token"));
/// # Ok::<(), kv_core::Error>(()) }).unwrap();
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Encrypt {
    key: EncryptionKey,
    old: Vec<EncryptionKey>,
}

/// A key of 32 bytes. `Debug` does not show it.
#[derive(Clone)]
pub struct EncryptionKey {
    cipher: XChaCha20Poly1305,
    /// Names the key in what it encrypted.
    id: [u8; ID_BYTES],
}

impl EncryptionKey {
    /// A key of these bytes, which should be random.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        let cipher = XChaCha20Poly1305::new(Key::from_slice(&bytes));
        let mut id = [0; ID_BYTES];
        // The tag of an empty text, under a nonce that no value has but by one chance in 2^192.
        let payload = Payload { msg: &[], aad: b"kv-layers: the name of a key" };
        if let Ok(tag) = cipher.encrypt(XNonce::from_slice(&[0; NONCE_BYTES]), payload) {
            id.iter_mut().zip(tag).for_each(|(to, from)| *to = from);
        }
        Self { cipher, id }
    }

    /// A key as 64 hexadecimal digits, such as `openssl rand -hex 32` prints.
    ///
    /// # Errors
    /// `Config` for anything else; the text is not shown.
    pub fn from_hex(text: &str) -> Result<Self> {
        let digit = |byte: u8| char::from(byte).to_digit(16);
        let mut bytes = [0; 32];
        let pairs = text.as_bytes().chunks_exact(2);
        let is_whole = text.len() == 64;
        for (byte, pair) in bytes.iter_mut().zip(pairs) {
            let both = pair.iter().map(|byte| digit(*byte)).collect::<Option<Vec<u32>>>();
            let number = both.and_then(|both| Some(both.first()? * 16 + both.get(1)?));
            let Some(number) = number.filter(|_| is_whole) else { return Err(no_key()) };
            *byte = u8::try_from(number).unwrap_or(u8::MAX);
        }
        if is_whole { Ok(Self::from_bytes(bytes)) } else { Err(no_key()) }
    }
}

fn no_key() -> Error {
    Error::new(ErrorKind::Config, "no key; expected 64 hexadecimal digits")
}

impl fmt::Debug for EncryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EncryptionKey(..)")
    }
}

impl Encrypt {
    /// Encrypts with this key.
    pub fn with(key: EncryptionKey) -> Self {
        Self { key, old: Vec::new() }
    }

    /// Also reads what this key encrypted.
    pub fn old_key(mut self, key: EncryptionKey) -> Self {
        self.old.push(key);
        self
    }

    /// The store with this layer around it.
    pub fn on(self, store: impl KeyValueStore) -> Box<dyn KeyValueStore> {
        Box::new(Coded { codec: self, store: Box::new(store) })
    }

    fn key_of(&self, id: &[u8]) -> Option<&EncryptionKey> {
        std::iter::once(&self.key).chain(&self.old).find(|key| key.id == id)
    }
}

fn failed(what: &'static str) -> Error {
    Error::new(ErrorKind::Serialization, what)
}

impl Codec for Encrypt {
    const KEEPS_NUMBERS: bool = false;
    const NO_QUEUES: &'static str =
        "jobs are not encrypted; open the queue on the store without the layer `encrypt`";

    /// The magic, the name of the key, the nonce, and the encrypted value with its tag.
    fn encode(&self, key: &str, value: Bytes) -> Result<Bytes> {
        let mut nonce = [0; NONCE_BYTES];
        OsRng.try_fill_bytes(&mut nonce).map_err(|_| {
            Error::new(ErrorKind::Backend, "layer `encrypt`: the system has no random numbers")
        })?;
        let payload = Payload { msg: &value, aad: key.as_bytes() };
        let sealed = self.key.cipher.encrypt(XNonce::from_slice(&nonce), payload);
        let sealed =
            sealed.map_err(|_| failed("layer `encrypt`: the value cannot be encrypted"))?;
        Ok(Bytes::from([&MAGIC[..], &self.key.id, &nonce, &sealed].concat()))
    }

    fn decode(&self, key: &str, stored: Bytes) -> Result<Bytes> {
        let Some(rest) = stored.strip_prefix(&MAGIC) else {
            return Err(failed("layer `encrypt`: the value is not encrypted"));
        };
        if rest.len() < ID_BYTES + NONCE_BYTES + TAG_BYTES {
            return Err(failed("layer `encrypt`: the value is cut"));
        }
        let (id, rest) = rest.split_at(ID_BYTES);
        let (nonce, sealed) = rest.split_at(NONCE_BYTES);
        let Some(by) = self.key_of(id) else {
            return Err(failed(
                "layer `encrypt`: the value was encrypted with another key; expected one of those \
                 that are configured",
            ));
        };
        let payload = Payload { msg: sealed, aad: key.as_bytes() };
        let value = by.cipher.decrypt(XNonce::from_slice(nonce), payload);
        value.map(Bytes::from).map_err(|_| {
            failed("layer `encrypt`: the value was changed, cut, or moved from another key")
        })
    }
}
