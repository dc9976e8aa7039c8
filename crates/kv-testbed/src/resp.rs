//! A tiny RESP2 client, so that a test can look at a server from outside.

mod stream;

use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;
use std::time::Duration;

use self::stream::Stream;
use crate::error::{Error, Result};

const LIMIT: Duration = Duration::from_secs(60);
/// Redis's own limit on one bulk string.
const LONGEST_BULK: usize = 512 << 20;
const DEEPEST: usize = 32;

/// What a server answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// A status such as `OK`.
    Simple(String),
    /// An error, with its code.
    Error(String),
    /// A number.
    Integer(i64),
    /// Bytes.
    Bulk(Vec<u8>),
    /// No value.
    Nil,
    /// Several replies.
    Array(Vec<Reply>),
}

impl Reply {
    /// The status, the number or the bytes as text; `None` for the others.
    ///
    /// ```
    /// use kv_testbed::Reply;
    /// assert_eq!(Reply::Integer(7).text().as_deref(), Some("7"));
    /// assert_eq!(Reply::Nil.text(), None);
    /// ```
    pub fn text(&self) -> Option<String> {
        match self {
            Self::Simple(text) => Some(text.clone()),
            Self::Integer(number) => Some(number.to_string()),
            Self::Bulk(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
            Self::Error(_) | Self::Nil | Self::Array(_) => None,
        }
    }

    /// The number; `None` for anything else.
    pub fn integer(&self) -> Option<i64> {
        match self {
            Self::Integer(number) => Some(*number),
            _ => None,
        }
    }
}

/// One blocking connection that speaks RESP2; every call waits at most ten seconds.
#[derive(Debug)]
pub struct Connection {
    stream: BufReader<Stream>,
}

impl Connection {
    /// Connects to a port on 127.0.0.1.
    ///
    /// # Errors
    /// When nobody accepts there.
    pub fn open(port: u16) -> Result<Self> {
        let stream = Stream::tcp(port, LIMIT)
            .map_err(Error::context(format!("cannot connect to port {port}")))?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    /// Connects to a Unix socket.
    ///
    /// # Errors
    /// When nobody accepts there.
    pub fn open_unix(path: &Path) -> Result<Self> {
        let stream = Stream::unix(path, LIMIT)
            .map_err(Error::context(format!("cannot connect to {}", path.display())))?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    /// Sends one command and reads its reply; an error reply is a [`Reply::Error`].
    ///
    /// # Errors
    /// When the connection fails, the server takes too long, or it does not speak RESP2.
    pub fn command<A: AsRef<[u8]>>(&mut self, arguments: &[A]) -> Result<Reply> {
        self.send(arguments)?;
        self.read()
    }

    /// [`command`](Self::command), for which an error reply is an error too.
    pub(crate) fn demand<A: AsRef<[u8]>>(&mut self, arguments: &[A]) -> Result<Reply> {
        match self.command(arguments)? {
            Reply::Error(text) => {
                // What follows the first two words may be a password.
                let words = arguments.iter().take(2).map(|word| word.as_ref()).collect::<Vec<_>>();
                let words = String::from_utf8_lossy(&words.join(&b' ')).into_owned();
                Err(Error::new(format!("{words} was answered with: {text}")))
            }
            reply => Ok(reply),
        }
    }

    /// Sends one command and does not wait.
    ///
    /// # Errors
    /// When the connection fails.
    pub fn send<A: AsRef<[u8]>>(&mut self, arguments: &[A]) -> Result<()> {
        let mut bytes = format!("*{}\r\n", arguments.len()).into_bytes();
        for argument in arguments.iter().map(AsRef::as_ref) {
            bytes.extend_from_slice(format!("${}\r\n", argument.len()).as_bytes());
            bytes.extend_from_slice(argument);
            bytes.extend_from_slice(b"\r\n");
        }
        self.stream.get_mut().write_all(&bytes).map_err(Error::context("cannot send a command"))
    }

    /// Whether bytes have arrived that were not read yet; it does not wait for any.
    ///
    /// # Errors
    /// When the connection failed or was closed.
    pub fn has_reply(&mut self) -> Result<bool> {
        let look = |stream: &mut BufReader<Stream>| -> io::Result<usize> {
            stream.get_ref().set_nonblocking(true)?;
            let seen = stream.fill_buf().map(<[u8]>::len);
            stream.get_ref().set_nonblocking(false)?;
            seen
        };
        match look(&mut self.stream) {
            Ok(0) => Err(Error::new("the server closed the connection")),
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(Error::context("cannot look at the connection")(error)),
        }
    }

    /// Reads one reply.
    ///
    /// # Errors
    /// When the connection fails, the server takes too long, or it does not speak RESP2.
    pub fn read(&mut self) -> Result<Reply> {
        read_reply(&mut self.stream, DEEPEST).map_err(Error::context("cannot read a reply"))
    }
}

fn read_reply(stream: &mut impl BufRead, depth: usize) -> io::Result<Reply> {
    let line = read_line(stream)?;
    let (kind, rest) = line.split_at_checked(1).ok_or_else(|| invalid("an empty line"))?;
    match kind {
        "+" => Ok(Reply::Simple(rest.to_owned())),
        "-" => Ok(Reply::Error(rest.to_owned())),
        ":" => Ok(Reply::Integer(number(rest)?)),
        "$" | "*" if rest == "-1" => Ok(Reply::Nil),
        "$" => read_bulk(stream, number(rest)?),
        "*" if depth > 0 => (0..number::<usize>(rest)?)
            .map(|_| read_reply(stream, depth - 1))
            .collect::<io::Result<_>>()
            .map(Reply::Array),
        _ => Err(invalid("a line of no known type")),
    }
}

fn read_line(stream: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    stream.take(1 << 20).read_line(&mut line)?;
    match line.strip_suffix("\r\n") {
        Some(line) => Ok(line.to_owned()),
        None => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

fn read_bulk(stream: &mut impl BufRead, length: usize) -> io::Result<Reply> {
    if length > LONGEST_BULK {
        return Err(invalid("a bulk string above 512 MiB"));
    }
    let mut bytes = vec![0; length + 2];
    stream.read_exact(&mut bytes)?;
    bytes.truncate(length);
    Ok(Reply::Bulk(bytes))
}

fn number<T: std::str::FromStr>(text: &str) -> io::Result<T> {
    text.parse().map_err(|_| invalid("a number that does not parse"))
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("not RESP2: {what}"))
}
