//! The configuration: from the environment, a file or a URL; checked, shown, explained.

use kv_config::{Config, reference_markdown};
use serde_json::{Value, json};

use crate::arguments::{ConfigVerb, Source};
use crate::failure::{Failure, Result};
use crate::output::{Output, print};

/// The configuration that the command line asks for.
pub(crate) fn load(source: &Source) -> Result<Config> {
    Ok(match (&source.config, &source.url) {
        (_, Some(url)) => from_url(url, source.prefix.as_deref())?,
        (Some(file), None) => Config::from_file(file)?,
        (None, None) => Config::from_env()?,
    })
}

fn from_url(url: &str, prefix: Option<&str>) -> kv_core::Result<Config> {
    let builder = Config::builder().variable("OC_KV_STORE_URL", url);
    match prefix {
        Some(prefix) => builder.variable("OC_KV_STORE_REDIS_KEY_PREFIX", prefix).build(),
        None => builder.build(),
    }
}

pub(crate) fn run(source: &Source, verb: ConfigVerb, output: &Output) -> Result<()> {
    match verb {
        ConfigVerb::Check => {
            let config = load(source)?;
            let text = format!("the configuration is right; it selects `{}`", config.backend());
            output.done(&text, &json!({ "ok": true, "type": config.backend() }));
            Ok(())
        }
        ConfigVerb::Show => {
            let config = load(source)?;
            let ttl = config.default_ttl().map_or(Value::Null, |ttl| json!(ttl.as_secs_f64()));
            output.fields(&[
                ("type", json!(config.backend())),
                ("serializer", json!(config.serializer().name())),
                ("default_ttl", ttl),
                ("layers", json!(config.layers().join(","))),
                ("settings", json!(format!("{:?}", config.settings()))),
            ]);
            Ok(())
        }
        ConfigVerb::Explain { variable } => explain(&variable),
    }
}

/// What the reference says of a variable.
fn explain(variable: &str) -> Result<()> {
    let wanted = variable.trim().to_ascii_uppercase();
    let wanted = wanted.strip_prefix("OC_KV_STORE_").unwrap_or(&wanted);
    let row = format!("| `OC_KV_STORE_{wanted}` ");
    let reference = reference_markdown();
    let Some(found) = reference.lines().find(|line| line.starts_with(&row)) else {
        let message = format!("no variable OC_KV_STORE_{wanted}; docs/CONFIGURATION.md lists all");
        return Err(Failure::Missing(message));
    };
    let cells = found.trim_matches(['|', ' ']).split(" | ");
    for (heading, cell) in ["variable", "value", "default", "meaning"].into_iter().zip(cells) {
        print(&format!("{heading}: {}", cell.replace('`', "")));
    }
    Ok(())
}
