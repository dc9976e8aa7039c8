//! Everything that is wrong with a configuration, told in one error.

use kv_core::{Error, ErrorKind, Result};
use tracing::error;

/// The longest value that an error quotes, in bytes.
const MAX_QUOTED: usize = 40;

/// What is wrong with one variable.
struct Problem {
    subject: String,
    text: String,
}

/// All that is wrong.
#[derive(Default)]
pub(crate) struct Problems(Vec<Problem>);

impl Problems {
    /// Notes that the subject, such as a variable, "is …", and what was expected of it.
    pub(crate) fn add(
        &mut self,
        subject: impl Into<String>,
        problem: impl AsRef<str>,
        expected: impl AsRef<str>,
    ) {
        let text = format!("{}; expected {}", problem.as_ref(), expected.as_ref());
        self.0.push(Problem { subject: subject.into(), text });
    }

    /// Whether something is told of the subject.
    pub(crate) fn tells_of(&self, subject: &str) -> bool {
        self.0.iter().any(|problem| problem.subject == subject)
    }

    /// The error that tells all, if there is anything to tell; it is logged too.
    pub(crate) fn into_result(mut self) -> Result<()> {
        self.0.sort_by(|a, b| (&a.subject, &a.text).cmp(&(&b.subject, &b.text)));
        if self.0.is_empty() {
            return Ok(());
        }
        let subjects: Vec<&str> = self.0.iter().map(|problem| problem.subject.as_str()).collect();
        error!(variables = subjects.join(", "), "configuration refused");
        Err(Error::new(ErrorKind::Config, self.message()))
    }

    fn message(&self) -> String {
        let lines: Vec<String> =
            self.0.iter().map(|problem| format!("{}: {}", problem.subject, problem.text)).collect();
        match lines.as_slice() {
            [only] => only.clone(),
            many => format!("{} problems in the configuration\n{}", many.len(), many.join("\n")),
        }
    }
}

/// The value in an error. What may hide a password or break the line is not quoted.
pub(crate) fn quote(value: &str) -> String {
    let hides = value.len() > MAX_QUOTED
        || value.contains("://")
        || value.contains(['@', '`'])
        || value.contains(char::is_control);
    if hides { "the value".into() } else { format!("`{value}`") }
}

/// That a part of the library is not in the program, and which feature brings it.
pub(crate) fn compiled_out(name: &str) -> String {
    format!("`{name}` is compiled out: kv-config's feature `{name}` brings it")
}

/// The words as in "a, b or c".
pub(crate) fn either<S: AsRef<str>>(words: &[S]) -> String {
    match words {
        [] => "nothing".into(),
        [only] => only.as_ref().into(),
        [head @ .., last] => {
            let head: Vec<&str> = head.iter().map(AsRef::as_ref).collect();
            format!("{} or {}", head.join(", "), last.as_ref())
        }
    }
}
