//! Bytes as hexadecimal text, as Python's `bytes.hex` and `bytes.fromhex` have it.

use crate::error::Result;

/// Two lower-case digits a byte.
pub(crate) fn encode(bytes: &[u8]) -> Vec<u8> {
    let digit = |value: u8| if value < 10 { b'0' + value } else { b'a' + value - 10 };
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0x0f)]).collect()
}

/// The bytes of digits of either case.
pub(crate) fn decode(text: &[u8]) -> Result<Vec<u8>> {
    let (pairs, rest) = text.as_chunks::<2>();
    let bytes = pairs.iter().map(|[high, low]| Some(value(*high)? << 4 | value(*low)?));
    match bytes.collect::<Option<Vec<u8>>>() {
        Some(bytes) if rest.is_empty() && !bytes.is_empty() => Ok(bytes),
        _ => Err("the bytes are neither a pickle nor the hexadecimal text of one".into()),
    }
}

fn value(digit: u8) -> Option<u8> {
    let value = char::from(digit).to_digit(16)?;
    u8::try_from(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_comes_back_in_either_case() {
        let bytes: Vec<u8> = (0..=255).collect();
        let text = encode(&bytes);
        assert!(text.starts_with(b"000102") && text.ends_with(b"fdfeff"));
        assert_eq!(decode(&text).unwrap(), bytes);
        assert_eq!(decode(&text.to_ascii_uppercase()).unwrap(), bytes);
    }

    #[test]
    fn what_is_no_pair_of_digits_is_refused() {
        for text in ["", "8", "80a", "8g", "80 04", "0x80", "+8"] {
            assert!(decode(text.as_bytes()).is_err(), "{text}");
        }
    }
}
