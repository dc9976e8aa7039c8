//! `redis`: its settings, a URL and a password file to its configuration.

use std::path::PathBuf;
use std::sync::Arc;

use kv_core::{Error, Result};
use kv_redis::{Protocol, RedisConfig, RedisConfigBuilder, RedisStore, Tls};

use crate::check;
use crate::factory::{Backend, Connect};
use crate::problem::Problems;
use crate::settings::Settings;
use crate::source::file;
use crate::values::Values;

const NAME: &str = "redis";

/// Checks the variables; the password's file is read only where the backend is selected.
pub(crate) fn prepare(selected: bool, values: &Values, problems: &mut Problems) -> Option<Connect> {
    // What is wrong with a single value is told already.
    let settings = values.settings(NAME, &mut Problems::default());
    let general = values.settings("", &mut Problems::default());
    check_together(values, problems);
    let password = if selected { password(&settings, values, problems) } else { None };
    let url = general.get::<Option<String>>("URL").ok().flatten();
    let url = url.filter(|url| selected || !check::is_sqlite(url));
    let config = config(&settings, url.as_deref(), password.as_deref());
    match config {
        Ok(config) => Some(Arc::new(move || Box::pin(connect(config.clone())))),
        Err(error) => {
            refuse(&error, values, problems);
            None
        }
    }
}

async fn connect(config: RedisConfig) -> Result<Backend> {
    Ok(Box::new(RedisStore::connect(config).await?))
}

/// What is of use only with another variable.
fn check_together(values: &Values, problems: &mut Problems) {
    let set = |name| values.is_set(NAME, name);
    for (one, other) in [
        ("TLS_CERT_FILE", "TLS_KEY_FILE"),
        ("TLS_KEY_FILE", "TLS_CERT_FILE"),
        ("SENTINEL_USERNAME", "SENTINEL_PASSWORD"),
    ] {
        if set(one) && !set(other) {
            let both = format!("{} too", values.subject(NAME, other));
            problems.add(values.subject(NAME, one), "is set alone", both);
        }
    }
    let mode = values.settings(NAME, &mut Problems::default()).get::<Option<String>>("MODE");
    if mode.ok().flatten().as_deref() == Some("sentinel") && !set("SENTINEL_MASTER") {
        let name = "the name under which the sentinels know the primary";
        problems.add(values.subject(NAME, "SENTINEL_MASTER"), "is not set", name);
    }
    if set("USERNAME") && !set("PASSWORD") && !set("PASSWORD_FILE") {
        let both = format!(
            "{} or {} too",
            values.subject(NAME, "PASSWORD"),
            values.subject(NAME, "PASSWORD_FILE")
        );
        problems.add(values.subject(NAME, "USERNAME"), "is set without a password", both);
    }
}

/// The password, be it set or in a file.
fn password(settings: &Settings, values: &Values, problems: &mut Problems) -> Option<String> {
    let path = match settings.get::<Option<PathBuf>>("PASSWORD_FILE") {
        Ok(Some(path)) if !values.is_set(NAME, "PASSWORD") => path,
        _ => return settings.get::<Option<String>>("PASSWORD").ok().flatten(),
    };
    let problem = match file::text(&path) {
        Ok(text) => match without_line_break(&text) {
            "" => "names an empty file".into(),
            password => return Some(password.into()),
        },
        Err(error) => format!("names a file that cannot be read ({})", file::reason(&error)),
    };
    let expected = "the path of a text file with the password";
    problems.add(values.subject(NAME, "PASSWORD_FILE"), problem, expected);
    None
}

/// Editors and `echo` end a file with a line break that is no part of the password.
fn without_line_break(text: &str) -> &str {
    let Some(line) = text.strip_suffix('\n') else { return text };
    line.strip_suffix('\r').unwrap_or(line)
}

fn config(settings: &Settings, url: Option<&str>, password: Option<&str>) -> Result<RedisConfig> {
    let builder = RedisConfig::builder();
    let builder = match url {
        Some(url) => builder.url(url)?,
        None => address(builder, settings, password)?,
    };
    let mut builder = encrypted(builder, settings)?;
    if let Some(prefix) = settings.get::<Option<String>>("KEY_PREFIX")? {
        builder = builder.key_prefix(prefix);
    }
    if let Some(connections) = settings.get::<Option<usize>>("MAX_CONNECTIONS")? {
        builder = builder.max_connections(connections);
    }
    if let Some(timeout) = settings.get::<Option<_>>("TIMEOUT")? {
        builder = builder.timeout(timeout);
    }
    if let Some(retry) = settings.get::<Option<bool>>("RETRY_ON_TIMEOUT")? {
        builder = builder.retry_on_timeout(retry);
    }
    builder.build()
}

fn address(
    mut builder: RedisConfigBuilder,
    settings: &Settings,
    password: Option<&str>,
) -> Result<RedisConfigBuilder> {
    if let Some(host) = settings.get::<Option<String>>("HOST")? {
        builder = builder.host(host);
    }
    if let Some(port) = settings.get::<Option<u16>>("PORT")? {
        builder = builder.port(port);
    }
    if let Some(path) = settings.get::<Option<PathBuf>>("UNIX_SOCKET")? {
        builder = builder.unix_socket(path);
    }
    if let Some(db) = settings.get::<Option<u8>>("DB")? {
        builder = builder.db(db);
    }
    builder = arranged(builder, settings)?;
    if let Some(password) = password {
        builder = builder.password(password);
        // A user without a password was told already.
        if let Some(user) = settings.get::<Option<String>>("USERNAME")? {
            builder = builder.username(user);
        }
    }
    Ok(builder)
}

/// With the nodes that are named, or with the one at the host and the port.
fn arranged(builder: RedisConfigBuilder, settings: &Settings) -> Result<RedisConfigBuilder> {
    let mode = settings.get::<Option<String>>("MODE")?;
    let nodes = match settings.get::<Option<Vec<String>>>("NODES")? {
        Some(nodes) => nodes,
        None => vec![node(settings)],
    };
    let text = |name| settings.get::<Option<String>>(name);
    Ok(match mode.as_deref() {
        Some("cluster") => builder.cluster(nodes),
        Some("sentinel") => {
            let master = text("SENTINEL_MASTER")?.unwrap_or_default();
            let builder = builder.sentinel(master, nodes);
            match text("SENTINEL_PASSWORD")? {
                Some(password) => {
                    builder.sentinel_credentials(text("SENTINEL_USERNAME")?, password)
                }
                None => builder,
            }
        }
        _ => builder,
    })
}

/// The host and the port as one; the defaults in place of those that were refused and told.
fn node(settings: &Settings) -> String {
    let host = settings.get::<String>("HOST").unwrap_or_else(|_| "localhost".to_owned());
    let port = settings.get::<u16>("PORT").unwrap_or(6_379);
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

fn encrypted(builder: RedisConfigBuilder, settings: &Settings) -> Result<RedisConfigBuilder> {
    let builder = match settings.get::<Option<String>>("PROTOCOL")?.as_deref() {
        Some("3") => builder.protocol(Protocol::Resp3),
        _ => builder,
    };
    if settings.get::<Option<bool>>("TLS")? != Some(true) {
        return Ok(builder);
    }
    let path = |name| settings.get::<Option<PathBuf>>(name);
    let mut tls = Tls::new();
    if let Some(ca) = path("TLS_CA_FILE")? {
        tls = tls.ca_file(ca);
    }
    if let (Some(certificate), Some(key)) = (path("TLS_CERT_FILE")?, path("TLS_KEY_FILE")?) {
        tls = tls.client_certificate(certificate, key);
    }
    Ok(builder.tls(tls))
}

/// Tells what only the backend could see: the parts of a URL. Its message shows none of them.
fn refuse(error: &Error, values: &Values, problems: &mut Problems) {
    let subject = match values.is_set("", "URL") {
        true => values.subject("", "URL"),
        false => "the backend `redis`".into(),
    };
    problems.add(subject, format!("is refused: {error}"), "values that the backend accepts");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_break_at_the_end_is_no_part_of_a_password() {
        for (text, password) in [
            ("p", "p"),
            ("p\n", "p"),
            ("p\r\n", "p"),
            ("p\n\n", "p\n"),
            (" p \n", " p "),
            ("\np", "\np"),
            ("\n", ""),
        ] {
            assert_eq!(without_line_break(text), password, "{text:?}");
        }
    }
}
