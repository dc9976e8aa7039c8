//! From files to the configuration of TLS.

use std::path::Path;
use std::sync::Arc;

use fred::types::config::{TlsConfig, TlsConnector};
use kv_core::{Error, ErrorKind, Result};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use crate::config::{ClientCertificate, Tls};

/// Reads the files.
///
/// # Errors
/// `Config`; the message names the file and the problem.
pub(super) fn load(tls: &Tls) -> Result<TlsConfig> {
    let roots = Arc::new(match &tls.ca_file {
        Some(path) => named_roots(path)?,
        None => system_roots()?,
    });
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|why| wrong("tls", "cannot be set up").because(why))?
        .with_root_certificates(roots);
    let config = match &tls.client {
        None => config.with_no_client_auth(),
        Some(client) => {
            let chain = certificates("tls_cert_file", &client.certificate)?;
            let key = PrivateKeyDer::from_pem_file(&client.key)
                .map_err(|why| unreadable("tls_key_file", &client.key, "private key", why))?;
            config.with_client_auth_cert(chain, key).map_err(|why| misfit(client, why))?
        }
    };
    Ok(TlsConfig::from(TlsConnector::from(config)))
}

/// The problem with a certificate and its key if both are valid PEM.
fn misfit(client: &ClientCertificate, why: rustls::Error) -> Error {
    let (field, path, problem) = match why {
        rustls::Error::InvalidCertificate(_) => {
            ("tls_cert_file", &client.certificate, "holds a certificate that cannot be used")
        }
        _ => ("tls_key_file", &client.key, "does not go with the certificate"),
    };
    wrong(field, format!("{} {problem}", path.display())).because(why)
}

fn named_roots(path: &Path) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates("tls_ca_file", path)? {
        roots.add(certificate).map_err(|why| {
            let problem = format!("{} holds a certificate that cannot be used", path.display());
            wrong("tls_ca_file", problem).because(why)
        })?;
    }
    Ok(roots)
}

/// Certificates of the system that cannot be used are left out.
fn system_roots() -> Result<RootCertStore> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let problem = "is not set, and the system has no certificates to trust";
        let error = wrong("tls_ca_file", problem);
        return Err(match found.errors.into_iter().next() {
            Some(why) => error.because(why),
            None => error,
        });
    }
    Ok(roots)
}

fn certificates(field: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let certificates = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    let certificates: Vec<_> =
        certificates.map_err(|why| unreadable(field, path, "certificate", why))?;
    if certificates.is_empty() {
        return Err(wrong(field, format!("{} holds no certificate in PEM", path.display())));
    }
    Ok(certificates)
}

fn unreadable(field: &str, path: &Path, what: &str, why: rustls::pki_types::pem::Error) -> Error {
    wrong(field, format!("{} cannot be read as a {what} in PEM", path.display())).because(why)
}

fn wrong(field: &str, problem: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Config, format!("{field} {problem}"))
}
