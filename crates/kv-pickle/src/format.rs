//! The format, as a store uses it.

use kv_core::{BoxError, Format, erased_serde};
use serde::Serialize;

use crate::reader::Reader;
use crate::writer::Writer;
use crate::{bounds, hex, machine};

/// The last byte of every pickle.
const STOP: u8 = b'.';

/// Pickles as the store's Python original stores them. Writes hexadecimal text in lower case; reads
/// hexadecimal text in either case, and raw bytes.
///
/// The last byte distinguishes text from raw bytes. Each pickle of each protocol ends with `.`,
/// which is not a hexadecimal digit. So bytes that end with `.` are a raw pickle; other bytes are
/// hexadecimal text, or an error.
///
/// ```
/// use kv_core::Serializer;
/// let serializer = Serializer::custom(kv_pickle::Pickle);
/// assert_eq!(serializer.name(), "pickle");
/// assert_eq!(serializer.encode("a")?.as_ref(), b"80048c01612e");
///
/// // In Python: pickle.dumps([1, 2], protocol=0)
/// let list: Vec<i32> = serializer.decode(b"(lp0\nI1\naI2\na.")?;
/// assert_eq!(list, [1, 2]);
///
/// // What would run a command in Python is refused by the name of its class.
/// let error = serializer.decode::<i32>(b"cos\nsystem\n(S'true'\ntR.").unwrap_err();
/// let cause = std::error::Error::source(&error).unwrap().to_string();
/// assert!(cause.contains("`os.system`"), "{cause}");
/// # Ok::<(), kv_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Pickle;

impl Format for Pickle {
    fn name(&self) -> &str {
        "pickle"
    }

    fn is_like_json(&self) -> bool {
        false
    }

    fn encode(&self, value: &dyn erased_serde::Serialize) -> Result<Vec<u8>, BoxError> {
        let mut pickle = Vec::with_capacity(128);
        Writer::start(&mut pickle, |writer| value.serialize(writer))?;
        Ok(hex::encode(&pickle))
    }

    fn decode(
        &self,
        bytes: &[u8],
        read: &mut dyn FnMut(&mut dyn erased_serde::Deserializer<'_>) -> Result<(), BoxError>,
    ) -> Result<(), BoxError> {
        if bytes.last() == Some(&STOP) {
            return decode_raw(bytes, read);
        }
        decode_raw(&hex::decode(bytes)?, read)
    }
}

fn decode_raw(
    pickle: &[u8],
    read: &mut dyn FnMut(&mut dyn erased_serde::Deserializer<'_>) -> Result<(), BoxError>,
) -> Result<(), BoxError> {
    let mut budget = bounds::Budget::of(pickle.len());
    let (nodes, root) = machine::run(pickle, &mut budget)?;
    bounds::check(&nodes, root, &mut budget)?;
    read(&mut <dyn erased_serde::Deserializer<'_>>::erase(Reader::new(&nodes, root)))
}
