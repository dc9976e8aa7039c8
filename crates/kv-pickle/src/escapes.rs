//! The escapes in the texts of protocol 0.

use crate::error::Result;

/// Python's `raw-unicode-escape`: Latin-1, but for `\uXXXX` and `\UXXXXXXXX`.
pub(crate) fn unicode(line: &[u8]) -> Result<String> {
    let mut text = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        let digits = match (byte, rest.first()) {
            (b'\\', Some(b'u')) => 4,
            (b'\\', Some(b'U')) => 8,
            (b'\\', Some(&next)) => {
                // The next byte cannot begin an escape, even where it is another backslash.
                text.extend(['\\', next.into()]);
                rest = rest.get(1..).unwrap_or_default();
                continue;
            }
            _ => {
                text.push(byte.into());
                continue;
            }
        };
        let code = rest.get(1..=digits).and_then(hexadecimal);
        text.push(code.and_then(char::from_u32).ok_or("a text has an escape of no character")?);
        rest = rest.get(1 + digits..).unwrap_or_default();
    }
    Ok(text)
}

/// A text of Python 2 in quotes, as Python 3 reads it: ASCII once its escapes are resolved.
pub(crate) fn quoted(line: &[u8]) -> Result<String> {
    let mut rest = match line {
        [b'\'', text @ .., b'\''] | [b'"', text @ .., b'"'] => text,
        _ => return Err("a text of protocol 0 is not in quotes".into()),
    };
    let mut text = String::with_capacity(rest.len());
    while let Some((&byte, tail)) = rest.split_first() {
        let (code, length) = if byte == b'\\' { escape(tail)? } else { (byte, 0) };
        if !code.is_ascii() {
            return Err("a text of Python 2 is not ASCII".into());
        }
        text.push(code.into());
        rest = tail.get(length..).unwrap_or_default();
    }
    Ok(text)
}

/// The byte that is meant by what stands behind a backslash, and how many bytes that takes.
fn escape(rest: &[u8]) -> Result<(u8, usize)> {
    let simple = |byte| Ok((byte, 1));
    match rest {
        [byte @ (b'\\' | b'\'' | b'"'), ..] => simple(*byte),
        [b'n', ..] => simple(b'\n'),
        [b'r', ..] => simple(b'\r'),
        [b't', ..] => simple(b'\t'),
        [b'x', high, low, ..] => {
            let code = hexadecimal(&[*high, *low]).and_then(|code| u8::try_from(code).ok());
            Ok((code.ok_or("a text has an escape of no character")?, 3))
        }
        _ => Err("a text has an escape that Python does not write".into()),
    }
}

fn hexadecimal(digits: &[u8]) -> Option<u32> {
    let digit = |digit: &u8| char::from(*digit).to_digit(16);
    digits.iter().try_fold(0, |number: u32, next| Some(number.checked_mul(16)? + digit(next)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unicode_escapes_are_resolved_as_python_does() {
        for (line, text) in [
            (b"a\xe4b".as_slice(), "aäb"),
            (br"\u20ac\U0001f600", "€😀"),
            (br"\u005cu0041", r"\u0041"),
            (br"\\u0041\", r"\\u0041\"),
            (b"", ""),
        ] {
            assert_eq!(unicode(line).unwrap(), text);
        }
        for line in [br"\u20a".as_slice(), br"\ud800", br"\U00110000", br"\u+123", br"\U"] {
            assert!(unicode(line).is_err(), "{line:?}");
        }
    }

    #[test]
    fn quoted_texts_of_python_2_are_ascii() {
        for (line, text) in
            [(br"'a\'\n\x41\\'".as_slice(), "a'\nA\\"), (br#""it's""#, "it's"), (b"''", "")]
        {
            assert_eq!(quoted(line).unwrap(), text);
        }
        for line in [b"a".as_slice(), b"'", b"'a\"", br"'\'", br"'\xe4'", b"'\xe4'", br"'\x4'"] {
            assert!(quoted(line).is_err(), "{line:?}");
        }
    }
}
