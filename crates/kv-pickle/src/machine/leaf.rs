//! Opcodes that say a value by themselves, without the stack.

use std::borrow::Cow;

use super::opcode;
use crate::class::Class;
use crate::error::Result;
use crate::escapes;
use crate::input::Input;
use crate::nodes::Node;

/// The value that the opcode says; nothing if it is an opcode of another kind.
pub(super) fn read<'a>(opcode: u8, input: &mut Input<'a>) -> Result<Option<Node<'a>>> {
    let node = match opcode {
        opcode::NONE => Node::None,
        opcode::NEWTRUE => Node::Bool(true),
        opcode::NEWFALSE => Node::Bool(false),
        opcode::INT => int(input.word()?)?,
        opcode::BININT => Node::Integer(i32::from_le_bytes(input.array()?).into()),
        opcode::BININT1 => Node::Integer(input.byte()?.into()),
        opcode::BININT2 => Node::Integer(u16::from_le_bytes(input.array()?).into()),
        opcode::LONG => decimal(input.word()?.trim_end_matches('L'))?,
        opcode::LONG1 => long(input.counted(1)?)?,
        opcode::LONG4 => long(input.counted(4)?)?,
        opcode::FLOAT => Node::Float(input.word()?.parse().map_err(|_| "a float is malformed")?),
        opcode::BINFLOAT => Node::Float(f64::from_be_bytes(input.array()?)),
        opcode::STRING => Node::Text(escapes::quoted(input.line()?)?.into()),
        opcode::BINSTRING => ascii(input.counted(4)?)?,
        opcode::SHORT_BINSTRING => ascii(input.counted(1)?)?,
        opcode::UNICODE => Node::Text(escapes::unicode(input.line()?)?.into()),
        opcode::BINUNICODE => utf_8(input.counted(4)?)?,
        opcode::SHORT_BINUNICODE => utf_8(input.counted(1)?)?,
        opcode::BINUNICODE8 => utf_8(input.counted(8)?)?,
        opcode::BINBYTES => Node::Bytes(input.counted(4)?.into()),
        opcode::SHORT_BINBYTES => Node::Bytes(input.counted(1)?.into()),
        opcode::BINBYTES8 | opcode::BYTEARRAY8 => Node::Bytes(input.counted(8)?.into()),
        opcode::EMPTY_LIST => Node::List(Vec::new()),
        opcode::EMPTY_TUPLE => Node::Tuple(Vec::new()),
        opcode::EMPTY_DICT => Node::Dict(Vec::new()),
        opcode::EMPTY_SET => Node::Set(Vec::new()),
        opcode::GLOBAL => Node::Class(Class::find(input.word()?, input.word()?)?),
        _ => return Ok(None),
    };
    Ok(Some(node))
}

/// Protocols 0 and 1 write truth values as integers with a zero before them.
fn int<'a>(word: &str) -> Result<Node<'a>> {
    match word {
        "01" => Ok(Node::Bool(true)),
        "00" => Ok(Node::Bool(false)),
        _ => decimal(word),
    }
}

/// An integer in decimal digits. Parsing ends at the digit with which it is out of range.
fn decimal<'a>(word: &str) -> Result<Node<'a>> {
    let large = || word.parse().map(Node::Large);
    let parsed = word.parse().map(Node::Integer).or_else(|_| large());
    Ok(parsed.map_err(|_| "an integer is malformed, or beyond 128 bits")?)
}

/// An integer in two's complement, the lowest byte first.
fn long<'a>(bytes: &[u8]) -> Result<Node<'a>> {
    const BEYOND: &str = "an integer is beyond 128 bits";
    let fill = if bytes.last().is_some_and(|byte| byte & 0x80 != 0) { 0xff } else { 0 };
    let digits = bytes.iter().rposition(|byte| *byte != fill).map_or(0, |last| last + 1);
    let mut whole = [fill; 16];
    let room = whole.get_mut(..digits).ok_or(BEYOND)?;
    room.copy_from_slice(bytes.get(..digits).ok_or(BEYOND)?);
    let number = i128::from_le_bytes(whole);
    match (fill, number < 0) {
        (0, true) => Ok(Node::Large(u128::from_le_bytes(whole))),
        (0xff, false) => Err(BEYOND.into()),
        _ => Ok(Node::Integer(number)),
    }
}

fn utf_8(bytes: &[u8]) -> Result<Node<'_>> {
    let text = std::str::from_utf8(bytes);
    // Python lets half a surrogate pair stand alone in a text.
    Ok(Node::Text(Cow::Borrowed(text.map_err(|_| "a text is not Unicode")?)))
}

/// A text of Python 2, which Python 3 reads as ASCII.
fn ascii(bytes: &[u8]) -> Result<Node<'_>> {
    if bytes.is_ascii() { utf_8(bytes) } else { Err("a text of Python 2 is not ASCII".into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_read_up_to_128_bits_and_no_further() {
        let small = [0, 1, -1, 127, 128, -128, -129, 255, i128::MAX, i128::MIN];
        for number in small {
            let bytes = number.to_le_bytes();
            let longer = [bytes.as_slice(), &[if number < 0 { 0xff } else { 0 }; 9]].concat();
            assert_eq!(long(&bytes).unwrap(), Node::Integer(number));
            assert_eq!(long(&longer).unwrap(), Node::Integer(number));
            assert_eq!(decimal(&number.to_string()).unwrap(), Node::Integer(number));
        }
        let largest = [[0xff; 16].as_slice(), &[0]].concat();
        assert_eq!(long(&largest).unwrap(), Node::Large(u128::MAX));
        assert_eq!(decimal(&u128::MAX.to_string()).unwrap(), Node::Large(u128::MAX));
        assert_eq!(long(&[]).unwrap(), Node::Integer(0));
        let beyond = [[0; 16].as_slice(), &[1]].concat();
        let below = [[0xff; 15].as_slice(), &[0x7f, 0xff]].concat();
        assert!(long(&beyond).is_err() && long(&below).is_err());
        assert!(decimal("340282366920938463463374607431768211456").is_err());
        assert!(decimal("").is_err() && decimal("1x").is_err());
    }
}
