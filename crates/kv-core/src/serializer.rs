//! Values to bytes and back: the one seam at which a format is chosen.

mod faithful;
mod json;
mod message_pack;
mod shape;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use self::shape::without_values;
use crate::{BoxError, Error, ErrorKind, Result};

/// The deepest nesting of lists, maps and their like in a value that is written or read, in every
/// built-in format.
pub const MAX_DEPTH: usize = 127;

/// How a [`Store`](crate::Store) turns values into bytes.
///
/// Bytes are taken as hostile: beyond a depth of [127](MAX_DEPTH), behind the end of the value,
/// or cut short, they are an error of kind `Serialization`, in time and memory proportional to
/// their length.
///
/// ```
/// use kv_core::Serializer;
/// let bytes = Serializer::Json.encode(&(1, "a"))?;
/// assert_eq!(bytes.as_ref(), br#"[1,"a"]"#);
/// assert_eq!(Serializer::Json.decode::<(i32, String)>(&bytes)?, (1, "a".into()));
/// assert!(Serializer::Json.encode(&f64::NAN).is_err());
/// # Ok::<(), kv_core::Error>(())
/// ```
#[derive(Clone, Default)]
#[non_exhaustive]
pub enum Serializer {
    /// JSON text, which Python's `json` reads; numbers and floats keep every digit both ways.
    /// A float that is not finite is an error, since JSON has no word for it.
    #[default]
    Json,
    /// MessagePack with named fields.
    MessagePack,
    /// A format of the program's own, see [`custom`](Self::custom).
    Custom(Arc<dyn Format>),
}

/// A format of the program's own.
///
/// ```
/// use kv_core::{BoxError, Format, Serializer, erased_serde};
///
/// /// JSON with line breaks, for people.
/// struct Pretty;
///
/// impl Format for Pretty {
///     fn name(&self) -> &str {
///         "pretty-json"
///     }
///     fn encode(&self, value: &dyn erased_serde::Serialize) -> Result<Vec<u8>, BoxError> {
///         Ok(serde_json::to_vec_pretty(value)?)
///     }
///     fn decode(
///         &self,
///         bytes: &[u8],
///         read: &mut dyn FnMut(&mut dyn erased_serde::Deserializer<'_>) -> Result<(), BoxError>,
///     ) -> Result<(), BoxError> {
///         let mut json = serde_json::Deserializer::from_slice(bytes);
///         read(&mut <dyn erased_serde::Deserializer<'_>>::erase(&mut json))?;
///         Ok(json.end()?)
///     }
/// }
///
/// let serializer = Serializer::custom(Pretty);
/// let bytes = serializer.encode(&vec![1])?;
/// assert_eq!(bytes.as_ref(), b"[\n  1\n]");
/// assert_eq!(serializer.decode::<Vec<i32>>(&bytes)?, [1]);
/// # Ok::<(), kv_core::Error>(())
/// ```
pub trait Format: Send + Sync + 'static {
    /// The format's name, for errors and logs.
    fn name(&self) -> &str;

    /// Whether the format is like JSON: every key of a map becomes text, and a float that is not
    /// finite has no word. What would not read back because of that is refused at the write, see
    /// [`Serializer::encode`]. A format with keys and floats of their own kind answers `false`.
    fn is_like_json(&self) -> bool {
        true
    }

    /// The value's bytes.
    ///
    /// # Errors
    /// Whatever keeps the value from being written.
    fn encode(&self, value: &dyn erased_serde::Serialize) -> Result<Vec<u8>, BoxError>;

    /// Calls `read` once with a deserializer over the bytes. Bytes behind the value are an error,
    /// and so should be a depth that endangers the stack.
    ///
    /// # Errors
    /// Whatever is wrong with the bytes, and the error of `read`. The text is shown as the cause,
    /// so it may quote no value; of what types say, [`without_values`] leaves what can be shown.
    fn decode(
        &self,
        bytes: &[u8],
        read: &mut dyn FnMut(&mut dyn erased_serde::Deserializer<'_>) -> Result<(), BoxError>,
    ) -> Result<(), BoxError>;
}

impl Serializer {
    /// A serializer of a format of the program's own.
    pub fn custom(format: impl Format) -> Self {
        Self::Custom(Arc::new(format))
    }

    /// The format's name.
    pub fn name(&self) -> &str {
        match self {
            Self::Json => "json",
            Self::MessagePack => "msgpack",
            Self::Custom(format) => format.name(),
        }
    }

    /// The bytes of a value, which the same type reads back equal.
    ///
    /// What no reader could give back is refused, in every format:
    ///
    /// - `Some` of a null, such as `Some(())`, `Some(None)` and `Some(Value::Null)`: it would come
    ///   back as `None`. Write an enum that says which it is.
    /// - An `i128` or `u128` in a type of the program's own, whatever its number, since serde reads
    ///   none in a tagged, untagged or flattened type, and these are written like any other. Alone
    ///   and in the standard library's types it is written. Use 64 bits or text.
    /// - A key that stands twice in a tagged or flattened type, such as a field with the name of
    ///   the tag.
    ///
    /// In MessagePack also a type with a form for programs, such as an `IpAddr`, inside a tagged or
    /// flattened type, where only its text would be read.
    ///
    /// And in JSON, and formats [like it](Format::is_like_json): a float that is not finite; and,
    /// in a tagged or flattened type, a map whose keys are numbers or booleans, which are text in
    /// JSON and stay it there.
    ///
    /// What a type reads differently from how it writes itself, nobody can see at the write: an
    /// `untagged` enum of which an earlier variant fits too, a field that is skipped and has no
    /// default.
    ///
    /// ```
    /// use kv_core::Serializer;
    /// let error = Serializer::Json.encode(&vec![Some(Some(1)), Some(None)]).unwrap_err();
    /// let cause = std::error::Error::source(&error).unwrap().to_string();
    /// assert!(cause.starts_with("`[1]`: `Some` of a null"), "{cause}");
    /// ```
    ///
    /// # Errors
    /// `Serialization` for a value that would not read back or that the format cannot hold; the
    /// cause tells where.
    pub fn encode<T: Serialize + ?Sized>(&self, value: &T) -> Result<Bytes> {
        let bytes = match self {
            Self::Json => json::encode(value),
            Self::MessagePack => message_pack::encode(value),
            Self::Custom(format) => encode_custom(format.as_ref(), value),
        };
        bytes.map(Bytes::from).map_err(|cause| self.error("cannot write the value as", cause))
    }

    /// The value that the bytes say.
    ///
    /// # Errors
    /// `Serialization` for bytes that are no such value, or are followed by others.
    pub fn decode<T: DeserializeOwned>(&self, bytes: &[u8]) -> Result<T> {
        let value = match self {
            Self::Json => json::decode(bytes),
            Self::MessagePack => message_pack::decode(bytes),
            Self::Custom(format) => decode_custom(format.as_ref(), bytes),
        };
        value.map_err(|cause| self.error("cannot read the stored value as", cause))
    }

    fn error(&self, what: &str, cause: BoxError) -> Error {
        let message = format!("{what} {} of the expected type", self.name());
        Error::new(ErrorKind::Serialization, message).because(cause)
    }
}

fn too_deep() -> BoxError {
    format!("nested deeper than {MAX_DEPTH}").into()
}

fn encode_custom<T: Serialize + ?Sized>(
    format: &dyn Format,
    value: &T,
) -> Result<Vec<u8>, BoxError> {
    faithful::encode(value, format.is_like_json(), |value| {
        // What a type says of its refusal may quote the value, which is nobody's to see.
        format.encode(value).map_err(|_| json::REFUSED.into())
    })
}

fn decode_custom<T: DeserializeOwned>(format: &dyn Format, bytes: &[u8]) -> Result<T, BoxError> {
    let mut value = None;
    format.decode(bytes, &mut |deserializer| {
        // The format's own message may quote the value, which is nobody's to see.
        let read = erased_serde::deserialize::<T>(deserializer);
        value = Some(read.map_err(|error| {
            let words = without_values(&error.to_string());
            words.unwrap_or_else(|| "the bytes are of another shape".to_owned())
        })?);
        Ok(())
    })?;
    value.ok_or_else(|| "the format read nothing".into())
}

impl fmt::Debug for Serializer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Serializer({})", self.name())
    }
}
