//! What the server tells of itself.

/// The text that INFO answers: lines of `name:value`.
pub(crate) struct Info<'a>(pub(crate) &'a str);

impl<'a> Info<'a> {
    /// The value of a field, if it is told.
    pub(crate) fn field(&self, name: &str) -> Option<&'a str> {
        let mut lines = self.0.lines();
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
    }

    pub(crate) fn is(&self, name: &str, value: &str) -> bool {
        self.field(name) == Some(value)
    }
}
