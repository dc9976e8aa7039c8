//! Where values come from: the environment, a file, a program.

pub(crate) mod environment;
pub(crate) mod file;

use std::path::Path;
use std::sync::Arc;

use crate::value::Raw;

/// Who gave a value, which decides how variables are named.
#[derive(Clone)]
pub(crate) enum Origin {
    /// An environment, or a builder, which has setters of the same names.
    Variables,
    /// A file.
    File(Arc<Path>),
}

/// A value that a source gave.
pub(crate) struct Given {
    pub(crate) origin: Origin,
    /// The variable's whole name, or the key in the file, as it is written.
    pub(crate) name: String,
    pub(crate) raw: Raw,
}

impl Given {
    pub(crate) fn variable(name: impl Into<String>, raw: Raw) -> Self {
        Self { origin: Origin::Variables, name: name.into(), raw }
    }

    /// What an error calls the value.
    pub(crate) fn subject(&self) -> String {
        let name = self.name.escape_debug();
        match &self.origin {
            Origin::Variables => name.to_string(),
            Origin::File(path) => format!("{}: {name}", path.display()),
        }
    }
}
