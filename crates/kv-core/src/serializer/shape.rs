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

/// What serde says of an enum that nothing fits, before and behind the name of the type.
const ENUMS: [(&str, &str); 2] = [
    ("data did not match any variant of untagged enum ", ""),
    ("no variant of enum ", " found in flattened data"),
];

/// The longest name of a field that is shown, in characters.
const LONGEST_NAME: usize = 64;

/// The longest description of what was expected that is shown, in characters.
const LONGEST_EXPECTED: usize = 200;

/// What a decoder says of bytes of another shape, without the values that it quotes: the field, the
/// kind of what was found, what was expected. `None` for a text that is none of serde's own, which
/// is a program's and may be anything.
///
/// What was found is data, also where it is the name of a field or of a variant, and is left out.
/// What is left of a text is left of it again. It is for [formats](crate::Format) of a program's
/// own, whose error passes on what types say.
///
/// ```
/// use kv_core::without_values;
/// let text = "invalid type: string \"hunter2\", expected u32";
/// assert_eq!(without_values(text).unwrap(), "invalid type: string, expected u32");
/// assert_eq!(without_values("missing field `mail`").unwrap(), "missing field `mail`");
/// assert_eq!(without_values("hunter2 is too short"), None);
/// ```
pub fn without_values(text: &str) -> Option<String> {
    // Names of the type.
    for what in ["missing field", "duplicate field"] {
        if let Some(rest) = text.strip_prefix(what).and_then(|rest| rest.strip_prefix(" `")) {
            return Some(format!("{what} `{}`", cut(rest.split_once('`')?.0, LONGEST_NAME)));
        }
    }
    for (before, after) in ENUMS {
        if let Some(rest) = text.strip_prefix(before) {
            let is_name = |c: &char| c.is_alphanumeric() || *c == '_';
            let name: String = rest.chars().take_while(is_name).take(LONGEST_NAME).collect();
            return Some(format!("{before}{name}{after}"));
        }
    }
    // Names in the data.
    for what in ["unknown field", "unknown variant"] {
        if let Some(rest) = text.strip_prefix(what) {
            return Some(format!("{what}{}", offered(rest)));
        }
    }
    if let Some(rest) = text.strip_prefix("invalid length ") {
        let length: String = rest.chars().take_while(char::is_ascii_digit).collect();
        return Some(format!("invalid length {length}{}", expected(rest)));
    }
    for what in ["invalid type", "invalid value"] {
        if let Some(rest) = text.strip_prefix(what).and_then(|rest| rest.strip_prefix(": ")) {
            let is_kind = |kind: &&&str| rest.starts_with(**kind);
            let kind = KINDS.iter().filter(is_kind).max_by_key(|kind| kind.len());
            let kind = kind.unwrap_or(&"another value");
            return Some(format!("{what}: {kind}{}", expected(rest)));
        }
    }
    None
}

/// What was expected, behind whatever was found. A text that somebody quotes there is a value.
fn expected(rest: &str) -> String {
    let tail = rest.rsplit_once(", expected ").map(|(_, tail)| tail);
    let tail = tail.and_then(|tail| tail.split('"').next()).map(str::trim_end);
    tail.map_or_else(String::new, |tail| format!(", expected {}", cut(tail, LONGEST_EXPECTED)))
}

/// The names that there are, behind one that there is not, which may be any text.
fn offered(rest: &str) -> String {
    if rest.contains("`, there are no ") {
        return String::new();
    }
    let names = rest.rsplit_once("`, expected ").map(|(_, names)| names);
    match names.or_else(|| rest.strip_prefix(", expected ")) {
        Some(names) => format!(", expected {}", cut(names, LONGEST_EXPECTED)),
        None => String::new(),
    }
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
            "data did not match any variant of untagged enum Shape",
            "no variant of enum Shape found in flattened data",
            "missing field `mail`",
            "duplicate field `mail`",
            "unknown field, expected `mail` or `name`",
            "unknown variant, expected one of `A`, `B`, `C`",
            "invalid length 3, expected a tuple of size 2",
            "invalid type: map, expected a string",
            "invalid type: null, expected u32",
        ] {
            assert_eq!(without_values(text).as_deref(), Some(text));
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
            ("unknown variant `a, expected hunter2`, there are no variants", "unknown variant"),
            ("unknown field `a`, expected hunter2`, there are no fields", "unknown field"),
            (
                "unknown field `a`, expected hunter2`, expected `mail`",
                "unknown field, expected `mail`",
            ),
            (
                "invalid value: string \"a\", expected other than \"hunter2\"",
                "invalid value: string, expected other than",
            ),
            (
                "invalid value: hunter2, expected a colour",
                "invalid value: another value, expected a colour",
            ),
        ] {
            assert_eq!(without_values(text).as_deref(), Some(kept));
            assert_eq!(without_values(kept).as_deref(), Some(kept));
        }
        assert_eq!(without_values("the password hunter2 is too short"), None);
    }
}
