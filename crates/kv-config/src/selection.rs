//! Which backend is selected, and by what.

use crate::check;
use crate::layers;
use crate::problem::{Problems, either};
use crate::source::Origin;
use crate::values::Values;
use crate::variables::Group;
use crate::variables::general::{TYPE, URL};

/// How many variables the problem names.
const MOST_NAMED: usize = 3;

/// The name that was set, in lowercase, or that the URL tells, or the default; empty where it was
/// refused.
pub(crate) fn selected(values: &Values) -> String {
    if !values.is_set(&TYPE) {
        return by_default(values);
    }
    let name = values.given(&TYPE).unwrap_or_default();
    match name.trim() {
        "" => name,
        word => word.to_ascii_lowercase(),
    }
}

fn by_default(values: &Values) -> String {
    match values.given(&URL) {
        Some(url) if check::is_sqlite(&url) => "sqlite".into(),
        None if !values.is_set(&URL) => values.get(&TYPE).unwrap_or_default(),
        _ => "redis".into(),
    }
}

/// Refuses variables of a backend that nobody selected: a service that meant it would keep its
/// data elsewhere, and nothing would tell.
///
/// A variable that is wrong by itself was told already, and so was a slip in the name of the type.
pub(crate) fn refuse_silent(values: &Values, problems: &mut Problems) {
    if values.is_set(&TYPE) || values.is_type_misspelled() {
        return;
    }
    let selected = by_default(values);
    let mut backends = Vec::new();
    let mut variables = Vec::new();
    let mut in_file = false;
    for group in values.groups().iter().filter(|group| is_backend(group)) {
        let set = values.set_in(group);
        let wrong = |(subject, _): &(&str, &Origin)| problems.tells_of(subject);
        let right: Vec<_> = set.into_iter().filter(|one| !wrong(one)).collect();
        if right.is_empty() || group.name == selected {
            continue;
        }
        backends.push(group.name.as_ref());
        in_file |= right.iter().any(|(_, origin)| matches!(origin, Origin::File(_)));
        variables.extend(right.into_iter().map(|(subject, _)| subject));
    }
    if !backends.is_empty() {
        let problem = format!("is not set, but {}", told(&variables));
        problems.add(values.subject(&TYPE), problem, wanted(&backends, &selected, in_file));
    }
}

fn is_backend(group: &Group) -> bool {
    !group.name.is_empty() && !layers::ORDER.contains(&group.name.as_ref())
}

/// As in "A, B and 2 more are".
fn told(variables: &[&str]) -> String {
    let (named, more) = variables.split_at(variables.len().min(MOST_NAMED));
    match (named, more.len()) {
        ([only], 0) => format!("{only} is"),
        ([head @ .., last], 0) => format!("{} and {last} are", head.join(", ")),
        (named, more) => format!("{} and {more} more are", named.join(", ")),
    }
}

fn wanted(backends: &[&str], selected: &str, in_file: bool) -> String {
    let set = |name: &&str| format!("OC_KV_STORE_TYPE={name}");
    let choices: Vec<String> = backends.iter().map(set).collect();
    let file = match backends {
        [only] if in_file => format!(" (`type = \"{only}\"` in a file)"),
        _ => String::new(),
    };
    let choices = either(&choices);
    format!(
        "the backend to be named: set {choices}{file}, or OC_KV_STORE_TYPE={selected} to leave \
         aside what is set"
    )
}
