//! What is printed: a table for people, JSON for programs.

use std::io::{IsTerminal as _, Write as _};

use comfy_table::{Table, presets};
use serde_json::{Value, json};

use crate::failure::{Failure, causes};

/// Where answers go.
pub(crate) struct Output {
    json: bool,
}

impl Output {
    pub(crate) const fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether programs read the output.
    pub(crate) const fn is_json(&self) -> bool {
        self.json
    }

    /// One thing: as text for people, as JSON with `--json`.
    pub(crate) fn value(&self, text: impl FnOnce() -> String, value: impl FnOnce() -> Value) {
        let line = if self.json { value().to_string() } else { text() };
        print(&line);
    }

    /// Names and values, one a line.
    pub(crate) fn fields(&self, fields: &[(&str, Value)]) {
        if self.json {
            let object = fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
            return print(&Value::Object(object.collect()).to_string());
        }
        let mut table = plain();
        for (name, value) in fields {
            table.add_row([(*name).to_owned(), cell(value)]);
        }
        print(&table.to_string());
    }

    /// Rows under headings; with `--json` one object a line.
    pub(crate) fn rows(&self, headings: &[&str], rows: impl IntoIterator<Item = Vec<Value>>) {
        if self.json {
            for row in rows {
                let names = headings.iter().map(|name| (*name).to_owned());
                print(&Value::Object(names.zip(row).collect()).to_string());
            }
            return;
        }
        let mut table = plain();
        table.set_header(headings.iter().map(|heading| heading.to_uppercase()));
        for row in rows {
            table.add_row(row.iter().map(cell));
        }
        print(&table.to_string());
    }

    /// What was done.
    pub(crate) fn done(&self, text: &str, value: &Value) {
        self.value(|| text.to_owned(), || value.clone());
    }

    /// What a person may want to know beside an answer, on standard error.
    pub(crate) fn note(&self, text: &str, value: &Value) {
        match self.json {
            true => eprintln!("{value}"),
            false => eprintln!("{text}"),
        }
    }

    /// How far a long work is, on standard error where a person looks at it.
    pub(crate) fn progress(&self, text: &str) {
        let mut error = std::io::stderr();
        if !self.json && error.is_terminal() {
            let _ = write!(error, "\r{text}\x1b[K");
        }
    }

    /// Why nothing was done, with every cause, on standard error.
    pub(crate) fn failure(&self, failure: &Failure) {
        let causes: Vec<String> = causes(failure).collect();
        if self.json {
            let advice = failure.advice();
            eprintln!(
                "{}",
                json!({ "error": failure.to_string(), "causes": causes, "do": advice })
            );
            return;
        }
        eprintln!("oc-kv: {failure}");
        causes.iter().for_each(|cause| eprintln!("  because: {cause}"));
        if let Some(advice) = failure.advice() {
            eprintln!("  to do: {advice}");
        }
    }
}

fn plain() -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table
}

/// A value as a cell; control characters are shown as escapes, so that a stored text cannot move
/// the cursor of a terminal.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => printable(text),
        other => other.to_string(),
    }
}

/// A text whose control characters are escaped, and those that cannot be seen or turn the text around.
pub(crate) fn printable(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c.is_control() || is_format(c) {
            true => escaped.extend(c.escape_default()),
            false => escaped.push(c),
        }
    }
    escaped
}

/// Unicode's format characters that move, hide or turn what stands beside them.
const fn is_format(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// A closed pipe, such as that of `head`, is no failure.
pub(crate) fn print(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_move_or_turn_the_text_of_a_terminal_is_escaped() {
        let text = "\u{1b}[2J\u{9b}1m\u{7}\u{202e}a\u{200b}ä漢";
        assert_eq!(printable(text), r"\u{1b}[2J\u{9b}1m\u{7}\u{202e}a\u{200b}ä漢");
    }
}
