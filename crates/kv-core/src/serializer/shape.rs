//! What a decoder says of bytes of another shape, without the values that it quotes.

/// What a decoder names without quoting a value.
const KINDS: [&str; 20] = [
    "boolean",
    "integer",
    "floating point",
    "character",
    "string",
    "byte array",
    "unit value",
    "Option value",
    "newtype struct",
    "sequence",
    "map",
    "enum",
    "unit variant",
    "newtype variant",
    "tuple variant",
    "struct variant",
    "null",
    "unit",
    "option",
    "bytes",
];

/// The longest name of a field that is shown, in characters.
const LONGEST_NAME: usize = 64;

/// The longest description of what was expected that is shown, in characters.
const LONGEST_EXPECTED: usize = 200;

/// The decoder's own words where they name no value: a field, a kind, what was expected.
///
/// Of what may quote a value, only the kind is kept; of a text that is none of serde's own, which
/// is a program's, nothing.
pub(super) fn words(text: &str) -> Option<String> {
    let named = |what: &str| Some((what.to_owned(), text.strip_prefix(what)?.strip_prefix(" `")?));
    for what in ["missing field", "duplicate field"] {
        if let Some((what, rest)) = named(what) {
            return Some(format!("{what} `{}`", cut(rest.split_once('`')?.0, LONGEST_NAME)));
        }
    }
    let expected = text.rsplit_once(", expected ").map(|(_, it)| cut(it, LONGEST_EXPECTED));
    let tail = expected.map_or_else(String::new, |it| format!(", expected {it}"));
    if let Some((what, rest)) = named("unknown field") {
        return Some(format!("{what} `{}`{tail}", cut(rest.split_once('`')?.0, LONGEST_NAME)));
    }
    if text.starts_with("unknown variant `") {
        return Some(format!("unknown variant{tail}"));
    }
    if let Some(rest) = text.strip_prefix("invalid length ") {
        let length: String = rest.chars().take_while(char::is_ascii_digit).collect();
        return Some(format!("invalid length {length}{tail}"));
    }
    for what in ["invalid type", "invalid value"] {
        if let Some(rest) = text.strip_prefix(what).and_then(|rest| rest.strip_prefix(": ")) {
            let is_kind = |kind: &&&str| rest.starts_with(**kind);
            let kind = KINDS.iter().filter(is_kind).max_by_key(|kind| kind.len());
            return Some(format!("{what}: {}{tail}", kind.unwrap_or(&"another value")));
        }
    }
    None
}

fn cut(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_kinds_and_what_was_expected_are_kept() {
        for text in [
            "missing field `mail`",
            "duplicate field `mail`",
            "unknown field `mial`, expected `mail` or `name`",
            "invalid length 3, expected a tuple of size 2",
            "invalid type: map, expected a string",
            "invalid type: null, expected u32",
        ] {
            assert_eq!(words(text).as_deref(), Some(text));
        }
    }

    #[test]
    fn no_value_is_kept_whatever_is_in_it() {
        for (text, kept) in [
            (
                "invalid type: string \"hunter2\", expected u32",
                "invalid type: string, expected u32",
            ),
            ("invalid value: integer `300`, expected u8", "invalid value: integer, expected u8"),
            (
                "invalid type: string \"a, expected hunter2\", expected u32",
                "invalid type: string, expected u32",
            ),
            (
                "unknown variant `hunter2`, expected `A` or `B`",
                "unknown variant, expected `A` or `B`",
            ),
            ("unknown variant `hunter2`, there are no variants", "unknown variant"),
            (
                "invalid value: hunter2, expected a colour",
                "invalid value: another value, expected a colour",
            ),
        ] {
            assert_eq!(words(text).as_deref(), Some(kept));
        }
        assert_eq!(words("the password hunter2 is too short"), None);
    }
}
