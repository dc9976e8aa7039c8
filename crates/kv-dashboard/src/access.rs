//! Who may see the dashboard.

use std::fmt;
use std::net::SocketAddr;

use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, HeaderName, Request, header};
use kv_core::{Error, ErrorKind, Result};
use sha2::{Digest as _, Sha256};

/// The fewest bytes of a token: a shorter one can be guessed.
const MIN_TOKEN: usize = 16;

/// The longest credentials that are looked at.
const MAX_CREDENTIALS: usize = 1_024;

/// What a proxy adds, so that a request from this machine may be somebody else's.
const FORWARDED: [HeaderName; 3] =
    [header::FORWARDED, header::VIA, HeaderName::from_static("x-forwarded-for")];

/// Who may see the dashboard.
#[derive(Clone, Debug)]
pub enum Access {
    /// Programs on this machine. The server must tell the router where a connection comes from, as
    /// [`Dashboard::serve`](crate::Dashboard::serve) and axum's
    /// `into_make_service_with_connect_info::<SocketAddr>()` do; else every request is refused. A
    /// request that came through a proxy is refused too, if the proxy says so; behind a proxy, use a
    /// token.
    Loopback,
    /// Whoever sends the token: `Authorization: Bearer TOKEN`, or the password that a browser asks
    /// for. Any user name will do; the action log shows it.
    Token(Token),
    /// Everybody: the service around the router has checked who asks.
    Checked,
}

/// A secret that opens the dashboard. Only its digest is kept.
#[derive(Clone)]
pub struct Token([u8; 32]);

impl Token {
    /// A token of at least 16 bytes.
    ///
    /// ```
    /// use kv_dashboard::Token;
    /// assert!(Token::new("0b4c8d3fb1a94f6e8f0d").is_ok());
    /// assert!(Token::new("secret").is_err());
    /// ```
    ///
    /// # Errors
    /// `Config` if it is shorter, or has a control character.
    pub fn new(token: &str) -> Result<Self> {
        let wrong = |what: &str| Err(Error::new(ErrorKind::Config, what.to_owned()));
        if token.len() < MIN_TOKEN {
            return wrong("the token is too short; expected at least 16 bytes");
        }
        if token.contains(char::is_control) {
            return wrong("the token has a control character; expected none");
        }
        Ok(Self(digest(token.as_bytes())))
    }

    /// Whether this is the token. Takes the same time for every wrong one.
    fn is(&self, given: &[u8]) -> bool {
        let given = digest(given);
        self.0.iter().zip(given).fold(0, |differences, (one, other)| differences | (one ^ other))
            == 0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

fn digest(text: &[u8]) -> [u8; 32] {
    Sha256::digest(text).into()
}

/// What keeps a request out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Denied {
    /// No token, or a wrong one.
    Token,
    /// Not from this machine, or from nobody knows where.
    Elsewhere,
}

impl Access {
    /// Who asks, if they may: an address, with the user name that came with a token.
    pub(crate) fn check<B>(&self, request: &Request<B>) -> std::result::Result<String, Denied> {
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0);
        let address = peer.map_or_else(|| "unknown".to_owned(), |peer| peer.ip().to_string());
        match self {
            Self::Checked => Ok(address),
            Self::Loopback => {
                let is_direct = !FORWARDED.iter().any(|name| request.headers().contains_key(name));
                let is_here = peer.is_some_and(|peer| peer.ip().to_canonical().is_loopback());
                if is_here && is_direct { Ok(address) } else { Err(Denied::Elsewhere) }
            }
            Self::Token(token) => {
                let (user, given) = credentials(request.headers()).ok_or(Denied::Token)?;
                if !token.is(&given) {
                    return Err(Denied::Token);
                }
                Ok(if user.is_empty() { address } else { format!("{user} at {address}") })
            }
        }
    }
}

/// The user name and the token of a request.
fn credentials(headers: &HeaderMap) -> Option<(String, Vec<u8>)> {
    let mut given = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(only), None) = (given.next(), given.next()) else { return None };
    let (scheme, secret) = only.to_str().ok()?.split_once(' ')?;
    if secret.len() > MAX_CREDENTIALS {
        return None;
    }
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some((String::new(), secret.trim().as_bytes().to_vec()));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(decode_base64(secret.trim())?).ok()?;
    let (user, token) = text.split_once(':')?;
    Some((user.to_owned(), token.as_bytes().to_vec()))
}

/// Standard base64, padded or not.
fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let (mut bytes, mut bits, mut held) = (Vec::new(), 0_u32, 0);
    for c in text.trim_end_matches('=').bytes() {
        let value = match c {
            b'A'..=b'Z' => c - b'A',
            b'a'..=b'z' => c - b'a' + 26,
            b'0'..=b'9' => c - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from(bits >> held & 0xff).ok()?);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_read_with_and_without_padding() {
        for (text, expected) in
            [("", ""), ("YQ==", "a"), ("YWI", "ab"), ("YWJj", "abc"), ("Pj4/Pz8+", ">>???>")]
        {
            assert_eq!(decode_base64(text).as_deref(), Some(expected.as_bytes()), "{text}");
        }
        for wrong in ["a b", "YQ-_", "ä", "=YQ="] {
            assert_eq!(decode_base64(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_token_is_recognised_and_never_shown() {
        let token = Token::new("a secret of many bytes").unwrap();
        assert!(token.is(b"a secret of many bytes"));
        assert!(!token.is(b"a secret of many byte") && !token.is(b""));
        assert_eq!(format!("{:?}", Access::Token(token)), "Token(Token(..))");
        assert!(Token::new("a secret of many\nbytes").is_err());
    }
}
