//! The reference of all variables, written from the table.

use std::fmt::Write;

use crate::layers;
use crate::problem::either;
use crate::value::expected;
use crate::variable::{Kind, Variable};
use crate::variables::{Group, groups};

const HEAD: &str = "\
# Configuration

Written from the table in `crates/kv-config/src/variables.rs`; change it there.

`kv_config::from_env()` opens the store that the environment describes. `Config::from_file` reads
a TOML file instead, `Config::loader().with_file(path).from_env()` takes from the file what the
environment leaves unset, and `Config::builder()` has a setter for each variable.

Everything is checked before anything is opened, and all that is wrong is told in one error.

- An empty value counts as unset.
- A variable that begins with `OC_KV_STORE_` and is not listed here is an error.
- Variables of a backend that is not selected are checked too, and then ignored.
- Two variables that contradict each other are an error, and so is one without effect.
- In the environment, true is one of `true`, `1`, `yes` and `on`, false one of `false`, `0`, `no`
  and `off`; lists are separated by commas. In a file, numbers, truth values and arrays are those
  of TOML.
- Secrets appear in no error, log or `Debug`.
- `OC_KV_STORE_LAYERS` puts layers around the store, and needs the feature `layers`, which is on by
  default; `compress` and `encrypt` need the features of these names. Each has its section here, but
  `observe`, `statistics` and `read-only`, which have no variables. `kv-layers` tells what they do and
  why they stand in this order.
- What `observe` counts is told by the configuration that opened the store: in place of
  `kv_config::from_env()`, `let config = Config::from_env()?`, then `config.open()` and
  `config.metrics()`.

A Kubernetes service that is called `oc-kv-store` injects variables that begin so; give it another
name or set `enableServiceLinks: false`.
";

const EXAMPLE: &str = "\
## A file

```toml
type = \"redis\"
default_ttl = 3600
layers = [\"observe\", \"retry\"]

[redis]
host = \"redis.internal\"
password_file = \"/run/secrets/redis\"
timeout = 0.5

[retry]
attempts = 5
```
";

/// The reference of all variables, in Markdown: the text of `docs/CONFIGURATION.md`.
///
/// ```
/// let text = kv_config::reference_markdown();
/// assert!(text.contains("`OC_KV_STORE_REDIS_HOST`"));
/// ```
pub fn reference_markdown() -> String {
    let mut text = HEAD.to_owned();
    for group in groups() {
        let title = match group.name.as_ref() {
            "" => "For every backend".to_owned(),
            "sqlite" => {
                "`sqlite`\n\nNeeds the feature `sqlite`, which is off by default.".to_owned()
            }
            name if layers::ORDER.contains(&name) => {
                format!("The layer `{name}`\n\nOnly where `OC_KV_STORE_LAYERS` names it.")
            }
            name => format!("`{name}`\n\nNeeds the feature `{name}`, which is on by default."),
        };
        let _ = write!(
            text,
            "\n## {title}\n\n| Variable, key in a file | Value | Default | Meaning |\n| --- | --- | --- | --- |\n"
        );
        for variable in group.variables.iter() {
            text.push_str(&row(&group, variable));
        }
    }
    text.push('\n');
    text.push_str(EXAMPLE);
    text
}

fn row(group: &Group, variable: &Variable) -> String {
    let default = match variable.default {
        Some(value) => format!("`{value}`"),
        None if variable.required => "must be set".into(),
        None => "unset".into(),
    };
    let value = match variable.kind {
        Kind::Secret => format!("{} (secret)", expected(variable)),
        _ => expected(variable),
    };
    let (name, key) = (group.variable(variable), group.key(variable));
    let meaning = meaning(group, variable);
    format!("| `{name}` `{key}` | {value} | {default} | {meaning} |\n")
}

/// The help, and what holds between this variable and others.
fn meaning(group: &Group, variable: &Variable) -> String {
    let mut text = variable.help.trim_start().to_owned();
    if let Some((other, words)) = variable.needs {
        let words = either(&quoted(words));
        let _ = write!(text, " Only where `{}` is {words}.", group.whole_name(other));
    }
    let others: Vec<String> = variable.excludes.iter().map(|o| group.whole_name(o)).collect();
    if !others.is_empty() {
        let _ = write!(text, " Not together with {}.", either(&quoted(&others)));
    }
    text
}

fn quoted<S: AsRef<str>>(words: &[S]) -> Vec<String> {
    words.iter().map(|word| format!("`{}`", word.as_ref())).collect()
}
