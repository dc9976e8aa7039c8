//! The text format of Prometheus, version 0.0.4.

use std::fmt::{Display, Write as _};

/// What a figure may do.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// Rises and falls.
    Gauge,
    /// Rises, until it begins anew.
    Counter,
}

/// Families of figures, in the order in which they are added.
#[derive(Debug, Default)]
pub(super) struct Text {
    written: String,
    family: &'static str,
}

impl Text {
    /// Begins a family: all samples until the next one belong to it.
    pub(super) fn family(&mut self, name: &'static str, kind: Kind, help: &str) {
        let kind = match kind {
            Kind::Gauge => "gauge",
            Kind::Counter => "counter",
        };
        self.family = name;
        // Writing to a string does not fail.
        let _ = write!(self.written, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    /// A figure of the family.
    pub(super) fn sample(&mut self, labels: &[(&str, &str)], figure: impl Display) {
        self.written.push_str(self.family);
        for (place, (name, value)) in labels.iter().enumerate() {
            let before = if place == 0 { '{' } else { ',' };
            let _ = write!(self.written, "{before}{name}=\"{}\"", escaped(value));
        }
        let after = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.written, "{after} {figure}");
    }

    pub(super) fn finish(self) -> String {
        self.written
    }
}

/// The value of a label, in which a backslash, a quote and the end of a line are escaped.
fn escaped(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for c in value.chars() {
        match c {
            '\\' => escaped.push_str("\\\\"),
            '"' => escaped.push_str("\\\""),
            '\n' => escaped.push_str("\\n"),
            // No end of a line to Prometheus, but one to many other readers.
            '\r' => escaped.push_str("\\\\r"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_cannot_end_its_line() {
        let mut text = Text::default();
        text.family("jobs", Kind::Gauge, "Jobs.");
        text.sample(&[("queue", "a\"} 9\nb\\\r"), ("state", "ready")], 1);
        let expected = "# HELP jobs Jobs.\n# TYPE jobs gauge\n\
                        jobs{queue=\"a\\\"} 9\\nb\\\\\\\\r\",state=\"ready\"} 1\n";
        assert_eq!(text.finish(), expected);
    }
}
