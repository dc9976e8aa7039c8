//! Redis's glob, byte for byte.

use std::fmt;

use crate::key::HIDDEN;
use crate::{Error, ErrorKind, MAX_KEY_BYTES, Result};

/// A glob as Redis's `KEYS` and `SCAN … MATCH` read it, on bytes.
///
/// `*` matches any run of bytes, `?` one byte, `[a-c]` a byte of a class, `[^a]` a byte outside it;
/// `\` takes the next byte literally. Special cases are as in Redis: `[!a]` does not negate, a
/// class that is not closed ends with the pattern, `[z-a]` means `[a-z]`, a trailing `\` is
/// literal, and a range compares bytes beyond ASCII as negative numbers, as C does on x86-64.
///
/// A test compares generated pairs with Redis 7.0. Matching needs no recursion and at most
/// `pattern × text` steps.
///
/// ```
/// use kv_core::Pattern;
/// let pattern = Pattern::new("processed:*")?;
/// assert!(pattern.matches("processed:1"));
/// assert!(!pattern.matches("config:1"));
/// assert_eq!(Pattern::escape("a*[b]"), r"a\*\[b\]");
/// # Ok::<(), kv_core::Error>(())
/// ```
#[derive(Clone)]
pub struct Pattern {
    text: String,
    tokens: Vec<Token>,
    /// How many bytes at its beginning may be shown, if not all.
    shown: Option<usize>,
}

/// Equal texts are equal patterns.
impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Pattern {}

#[derive(Clone, PartialEq, Eq)]
enum Token {
    AnyRun,
    AnyByte,
    Byte(u8),
    /// Ranges of signed bytes, as a server on x86-64 compares them.
    Class {
        negated: bool,
        ranges: Vec<(i8, i8)>,
    },
}

impl Token {
    fn accepts(&self, byte: u8) -> bool {
        match self {
            Self::AnyRun | Self::AnyByte => true,
            Self::Byte(expected) => *expected == byte,
            Self::Class { negated, ranges } => {
                let byte = byte.cast_signed();
                ranges.iter().any(|(low, high)| (*low..=*high).contains(&byte)) != *negated
            }
        }
    }
}

impl Pattern {
    /// The longest pattern in bytes, prefix and namespace included: enough for a prefix in which
    /// every byte is escaped.
    pub const MAX_BYTES: usize = 2 * MAX_KEY_BYTES;

    /// Parses a pattern. Every text that is not too long is a pattern.
    ///
    /// # Errors
    /// `TooLarge` beyond [`MAX_BYTES`](Self::MAX_BYTES).
    pub fn new(text: impl Into<String>) -> Result<Self> {
        let text = text.into();
        if text.len() > Self::MAX_BYTES {
            let message = format!(
                "a pattern of {} bytes with its prefix; expected at most {}",
                text.len(),
                Self::MAX_BYTES
            );
            return Err(Error::new(ErrorKind::TooLarge, message));
        }
        let tokens = tokens(text.as_bytes());
        Ok(Self { text, tokens, shown: None })
    }

    /// The pattern that matches a literal prefix followed by the pattern `rest`.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn within(prefix: &str, rest: &str) -> Result<Self> {
        let mut text = Self::escape(prefix);
        text.push_str(rest);
        Self::new(text)
    }

    /// The same pattern, of which only so many bytes may be shown that a literal takes at its
    /// beginning: it may contain a key.
    #[must_use]
    pub(crate) fn hidden_behind(self, literal: &str) -> Self {
        Self { shown: Some(Self::escape(literal).len()), ..self }
    }

    /// What may not be shown.
    pub(crate) fn secret(&self) -> &str {
        self.text.get(self.shown.unwrap_or(self.text.len())..).unwrap_or_default()
    }

    /// A pattern that matches `literal` and nothing else.
    pub fn escape(literal: &str) -> String {
        let mut escaped = String::with_capacity(literal.len());
        for c in literal.chars() {
            if matches!(c, '*' | '?' | '[' | ']' | '\\' | '^' | '-') {
                escaped.push('\\');
            }
            escaped.push(c);
        }
        escaped
    }

    /// The text, as a server takes it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether a key matches.
    pub fn matches(&self, key: &str) -> bool {
        self.matches_bytes(key.as_bytes())
    }

    /// Whether bytes match.
    pub fn matches_bytes(&self, text: &[u8]) -> bool {
        let (mut token, mut at) = (0, 0);
        // Where to continue when the last `*` must take one more byte.
        let mut retry: Option<(usize, usize)> = None;
        while let Some(byte) = text.get(at) {
            match self.tokens.get(token) {
                Some(Token::AnyRun) => {
                    token += 1;
                    retry = Some((token, at));
                    continue;
                }
                Some(expected) if expected.accepts(*byte) => {
                    token += 1;
                    at += 1;
                    continue;
                }
                _ => {}
            }
            let Some((after_run, taken)) = retry else { return false };
            retry = Some((after_run, taken + 1));
            (token, at) = (after_run, taken + 1);
        }
        self.tokens.iter().skip(token).all(|rest| *rest == Token::AnyRun)
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.shown {
            None => write!(f, "Pattern({:?})", self.text),
            Some(shown) => {
                let shown = self.text.get(..shown).unwrap_or_default();
                write!(f, "Pattern({:?})", [shown, HIDDEN].concat())
            }
        }
    }
}

fn tokens(mut rest: &[u8]) -> Vec<Token> {
    let mut tokens = Vec::new();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        tokens.push(match (first, after.split_first()) {
            (b'*', _) if tokens.last() == Some(&Token::AnyRun) => continue,
            (b'*', _) => Token::AnyRun,
            (b'?', _) => Token::AnyByte,
            (b'[', _) => class(&mut rest),
            (b'\\', Some((escaped, after))) => {
                rest = after;
                Token::Byte(*escaped)
            }
            (byte, _) => Token::Byte(*byte),
        });
    }
    tokens
}

/// Reads a class after its `[`, up to its `]` or the end of the pattern.
fn class(rest: &mut &[u8]) -> Token {
    let negated = rest.first() == Some(&b'^');
    if negated {
        *rest = &rest[1..];
    }
    let mut ranges = Vec::new();
    loop {
        *rest = match **rest {
            [] => break,
            [b'\\', escaped, ref after @ ..] => {
                ranges.push((escaped.cast_signed(), escaped.cast_signed()));
                after
            }
            [b']', ref after @ ..] => {
                *rest = after;
                break;
            }
            [from, b'-', to, ref after @ ..] => {
                let (from, to) = (from.cast_signed(), to.cast_signed());
                ranges.push((from.min(to), from.max(to)));
                after
            }
            [byte, ref after @ ..] => {
                ranges.push((byte.cast_signed(), byte.cast_signed()));
                after
            }
        };
    }
    Token::Class { negated, ranges }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, text: &str) -> bool {
        Pattern::new(pattern).unwrap().matches(text)
    }

    #[test]
    fn a_run_takes_any_number_of_bytes() {
        for text in ["", "a", "abc"] {
            assert!(matches("*", text) && matches("**", text), "{text}");
        }
        assert!(matches("a*b*c", "aXXbYYbc") && !matches("a*b*c", "aXXcYY"));
    }

    #[test]
    fn a_question_mark_is_one_byte_and_not_one_character() {
        assert!(matches("?", "a") && !matches("?", "é") && matches("??", "é"));
    }

    #[test]
    fn classes_have_the_odd_corners_of_redis() {
        assert!(matches("[^a]", "b") && !matches("[^a]", "a"));
        assert!(matches("[!a]", "!") && matches("[!a]", "a") && !matches("[!a]", "b"));
        assert!(!matches("[]]", "]") && matches(r"[\]]", "]"));
        assert!(matches("[a", "a") && !matches("[", "a") && matches("[^", "a"));
        assert!(matches("[z-a]", "m"));
        assert!(matches("[a-]", "]") && matches("[a-]", "^") && !matches("[a-]", "-"));
    }

    #[test]
    fn a_trailing_backslash_stands_for_itself() {
        assert!(matches("a\\", "a\\") && matches(r"\*", "*") && !matches(r"\*", "a"));
    }

    #[test]
    fn an_escaped_literal_matches_only_itself() {
        let odd = r"a*b?[c]\d^e-f";
        assert!(matches(&Pattern::escape(odd), odd));
        assert!(!matches(&Pattern::escape("a*"), "ab"));
    }

    #[test]
    fn a_hostile_pattern_ends_soon_and_a_longer_one_is_refused() {
        assert!(!matches(&"*a".repeat(1_000), &"a".repeat(999)));
        assert!(Pattern::new("*".repeat(Pattern::MAX_BYTES + 1)).is_err());
    }
}
