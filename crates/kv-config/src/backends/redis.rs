//! `redis`: its settings, a URL and a password file to its configuration.

use std::sync::Arc;

use kv_core::{Error, Result};
use kv_redis::{Protocol, RedisConfig, RedisConfigBuilder as Builder, RedisStore, Tls};

use crate::backends::with;
use crate::check;
use crate::factory::{Backend, Connect};
use crate::key::Key;
use crate::problem::Problems;
use crate::secret;
use crate::settings::FromSetting;
use crate::values::Values;
use crate::variables::general::URL;
use crate::variables::redis::*;

/// Checks the variables; the password's file is read only where the backend is selected.
pub(crate) fn prepare(selected: bool, values: &Values, problems: &mut Problems) -> Option<Connect> {
    check_together(values, problems);
    let files = (&PASSWORD, &PASSWORD_FILE);
    let read = || secret::read(files, "the password", values, problems);
    let password = selected.then(read).flatten();
    let url = values.get(&URL).filter(|url| selected || !check::is_sqlite(url));
    match config(values, url.as_deref(), password) {
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
    check_pair((&TLS_CERT_FILE, &TLS_KEY_FILE), values, problems);
    check_pair((&TLS_KEY_FILE, &TLS_CERT_FILE), values, problems);
    check_pair((&SENTINEL_USERNAME, &SENTINEL_PASSWORD), values, problems);
    if values.get(&MODE).as_deref() == Some("sentinel") && !values.is_set(&SENTINEL_MASTER) {
        let name = "the name under which the sentinels know the primary";
        problems.add(values.subject(&SENTINEL_MASTER), "is not set", name);
    }
    if values.is_set(&USERNAME) && !values.is_set(&PASSWORD) && !values.is_set(&PASSWORD_FILE) {
        let (password, file) = (values.subject(&PASSWORD), values.subject(&PASSWORD_FILE));
        let both = format!("{password} or {file} too");
        problems.add(values.subject(&USERNAME), "is set without a password", both);
    }
}

fn check_pair<T: FromSetting>(
    (one, other): (&Key<T>, &Key<T>),
    values: &Values,
    problems: &mut Problems,
) {
    if values.is_set(one) && !values.is_set(other) {
        let both = format!("{} too", values.subject(other));
        problems.add(values.subject(one), "is set alone", both);
    }
}

fn config(values: &Values, url: Option<&str>, password: Option<String>) -> Result<RedisConfig> {
    let builder = match url {
        Some(url) => RedisConfig::builder().url(url)?,
        None => address(values, password),
    };
    let builder = encrypted(builder, values);
    let builder = with(builder, values.get(&KEY_PREFIX), Builder::key_prefix);
    let builder = with(builder, values.get(&MAX_CONNECTIONS), Builder::max_connections);
    let builder = with(builder, values.get(&TIMEOUT), Builder::timeout);
    with(builder, values.get(&RETRY_ON_TIMEOUT), Builder::retry_on_timeout).build()
}

fn address(values: &Values, password: Option<String>) -> Builder {
    let builder = with(RedisConfig::builder(), values.get(&HOST), Builder::host);
    let builder = with(builder, values.get(&PORT), Builder::port);
    let builder = with(builder, values.get(&UNIX_SOCKET), Builder::unix_socket);
    let builder = with(builder, values.get(&DB), Builder::db);
    let builder = arranged(builder, values);
    // A user without a password was told already.
    let user = values.get(&USERNAME).filter(|_| password.is_some());
    with(with(builder, password, Builder::password), user, Builder::username)
}

/// With the nodes that are named, or with the one at the host and the port.
fn arranged(builder: Builder, values: &Values) -> Builder {
    let nodes = || values.get(&NODES).unwrap_or_else(|| vec![node(values)]);
    match values.get(&MODE).as_deref() {
        Some("cluster") => builder.cluster(nodes()),
        Some("sentinel") => {
            let master = values.get(&SENTINEL_MASTER).unwrap_or_default();
            let user = values.get(&SENTINEL_USERNAME);
            with(
                builder.sentinel(master, nodes()),
                values.get(&SENTINEL_PASSWORD),
                |b, password| b.sentinel_credentials(user.clone(), password),
            )
        }
        _ => builder,
    }
}

/// The host and the port as one.
fn node(values: &Values) -> String {
    let host = values.get(&HOST).unwrap_or_default();
    let port = values.get(&PORT).unwrap_or_default();
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

fn encrypted(builder: Builder, values: &Values) -> Builder {
    let builder = match values.get(&PROTOCOL).as_deref() {
        Some("3") => builder.protocol(Protocol::Resp3),
        _ => builder,
    };
    if values.get(&TLS) != Some(true) {
        return builder;
    }
    let tls = with(Tls::new(), values.get(&TLS_CA_FILE), Tls::ca_file);
    let certificate = values.get(&TLS_CERT_FILE).zip(values.get(&TLS_KEY_FILE));
    builder.tls(with(tls, certificate, |tls, (own, key)| tls.client_certificate(own, key)))
}

/// Tells what only the backend could see: the parts of a URL. Its message shows none of them.
fn refuse(error: &Error, values: &Values, problems: &mut Problems) {
    let subject = match values.is_set(&URL) {
        true => values.subject(&URL),
        false => "the backend `redis`".into(),
    };
    problems.add(subject, format!("is refused: {error}"), "values that the backend accepts");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_those_of_the_builder() {
        let built = config(&Values::unset(), None, None).unwrap();
        let own = RedisConfig::builder().build().unwrap();
        assert_eq!(format!("{built:?}"), format!("{own:?}"));
    }
}
