//! A serializer of one's own: JSON with a checksum, so that damaged bytes are never read.
//!
//! A store is given its format once, and hands it on to its namespaces and queues. No backend
//! knows of formats.
//!
//! ```text
//! cargo run --package kv-config --example custom_serializer
//! ```

use kv_core::{BoxError, Bytes, ErrorKind, Format, Result, Serializer, Store, Write, erased_serde};

/// JSON text, then four bytes of checksum.
pub(crate) struct CheckedJson;

impl Format for CheckedJson {
    fn name(&self) -> &str {
        "checked-json"
    }

    fn encode(
        &self,
        value: &dyn erased_serde::Serialize,
    ) -> std::result::Result<Vec<u8>, BoxError> {
        let mut bytes = serde_json::to_vec(value)?;
        bytes.extend(checksum(&bytes).to_be_bytes());
        Ok(bytes)
    }

    fn decode(
        &self,
        bytes: &[u8],
        read: &mut dyn FnMut(
            &mut dyn erased_serde::Deserializer<'_>,
        ) -> std::result::Result<(), BoxError>,
    ) -> std::result::Result<(), BoxError> {
        let (text, sum) = bytes.split_last_chunk().ok_or("too short for a checksum")?;
        if u32::from_be_bytes(*sum) != checksum(text) {
            return Err("the checksum does not match".into());
        }
        let mut json = serde_json::Deserializer::from_slice(text);
        read(&mut <dyn erased_serde::Deserializer<'_>>::erase(&mut json))?;
        Ok(json.end()?)
    }
}

/// FNV-1a of 32 bits, which sees every change of a single byte. It keeps out accidents, not
/// attackers.
fn checksum(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |sum, byte| (sum ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

/// Writes a value, reads it back, then flips one bit of what is stored; returns the value and the
/// kind of the error that the damage comes to.
pub(crate) async fn run(store: &Store) -> Result<(Option<Vec<u32>>, Option<ErrorKind>)> {
    let store = store.clone().with_serializer(Serializer::custom(CheckedJson));
    store.set("primes", &[2, 3, 5, 7]).await?;
    let value = store.get("primes").await?;

    let stored_key = format!("{}primes", store.prefix());
    if let Some(entry) = store.inner().get(&stored_key).await? {
        let damaged: Vec<u8> =
            entry.value.iter().map(|byte| byte ^ u8::from(*byte == b'7')).collect();
        store.inner().set(&stored_key, Bytes::from(damaged), Write::ALWAYS).await?;
    }
    let error = store.get::<Vec<u32>>("primes").await.err();
    Ok((value, error.map(|error| error.kind())))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let store = kv_config::from_env().await?;
    let (value, error) = run(&store).await?;
    println!("read {value:?}; after a flipped bit: {error:?}");
    store.close().await
}
