//! Values as Python's pickle, data only: a [format](kv_core::Format) for
//! [`Store`](kv_core::Store).
//!
//! The store's Python original stores a value as the hexadecimal text of its pickle. [`Pickle`]
//! reads and writes this text, so that services of both languages can share values while one
//! replaces the other.
//!
//! ```
//! use kv_core::Serializer;
//! use kv_pickle::Pickle;
//!
//! let serializer = Serializer::custom(Pickle);
//! // In Python: pickle.dumps({"url": "https://a.example", "hits": 3}).hex()
//! let python = "80049528000000000000007d94288c0375726c948c1168747470733a2f2f612e6578616d706c65\
//!               948c0468697473944b03752e";
//!
//! #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
//! struct Page {
//!     url: String,
//!     hits: u32,
//! }
//! let page: Page = serializer.decode(python.as_bytes())?;
//! assert_eq!(page, Page { url: "https://a.example".into(), hits: 3 });
//!
//! // In Python: pickle.loads(bytes.fromhex(text))
//! let text = serializer.encode(&page)?;
//! assert!(text.starts_with(b"8004") && text.ends_with(b"2e"));
//! assert_eq!(serializer.decode::<Page>(&text)?, page);
//! # Ok::<(), kv_core::Error>(())
//! ```
//!
//! # What is read
//! Protocols 0 to 5 as Python 3 writes them, raw or as hexadecimal text.
//!
//! | Python | Rust, through serde |
//! | --- | --- |
//! | `None`, `bool`, `float`, `str` | unit or `Option`, `bool`, float, string |
//! | `int` | an integer of up to 128 bits; a larger one is an error |
//! | `bytes`, `bytearray` | bytes, and `Vec<u8>` |
//! | `list`, `tuple`, `set`, `frozenset` | a sequence |
//! | `dict` | a map with keys of any kind, or a struct |
//! | `datetime`, `date`, `time` | the text of Python's `isoformat()` |
//! | `timedelta` | an ISO 8601 duration in days and seconds: `P1DT3.500000S`, `-PT5S` |
//! | `timezone` | its offset as text: `+05:30` |
//! | `Decimal` | its text |
//!
//! Any other class, and any opcode that builds or names an object otherwise, is an error with the
//! class's name. **Nothing is ever imported, called or executed**: the reader knows the classes
//! above by their names, and computes their values itself.
//!
//! # What is written
//! Protocol 4: the default of Python 3.8 to 3.13, and read by every Python from 3.4 on.
//!
//! | Rust, through serde | Python |
//! | --- | --- |
//! | unit, `None`, unit struct | `None` |
//! | integers, floats, `bool`, `char`, strings | `int`, `float`, `bool`, `str` |
//! | bytes; `Vec<u8>` only by way of serde's bytes | `bytes` |
//! | sequence | `list` |
//! | tuple, tuple struct, array | `tuple` |
//! | map, struct | `dict` |
//! | enum | `"A"`, `{"A": value}`, `{"A": (a, b)}`, `{"A": {"a": a}}` |
//!
//! A key that Python cannot hash, such as a list, is an error.
//!
//! # Hostile bytes
//! Hostile bytes fail with an error, in time and memory proportional to their length: the reader
//! trusts no length before the bytes are there, and does not recurse. A value that contains itself,
//! is nested deeper than [`MAX_DEPTH`](kv_core::MAX_DEPTH), or would grow by repeated references to
//! more than 64 bytes for each byte of the pickle plus 4 MiB, is an error too. The worst measured
//! pickle made a `serde_json::Value` of 178 bytes for each of its bytes.

mod bounds;
mod class;
mod classes;
mod error;
mod escapes;
mod format;
mod hex;
mod input;
mod machine;
mod nodes;
mod reader;
mod times;
mod writer;

pub use format::Pickle;
