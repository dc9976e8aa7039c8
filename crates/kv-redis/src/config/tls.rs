//! Encrypted connections: which servers to trust, and the client's own certificate.

use std::path::PathBuf;

/// How a connection is encrypted, and how each side proves who it is.
///
/// The server's certificate must be valid for the name or address that the store connects to, and
/// signed by a trusted authority: the system's authorities, or those of [`ca_file`](Self::ca_file)
/// instead. Nothing turns this check off. The store speaks TLS 1.2 and 1.3.
///
/// A store reads the files when it connects.
///
/// ```
/// use kv_redis::{RedisConfig, Tls};
/// let tls = Tls::new().ca_file("/etc/redis/ca.pem");
/// let config = RedisConfig::builder().host("db.internal").tls(tls).build();
/// assert!(config.is_ok());
/// ```
#[cfg_attr(not(feature = "tls"), expect(dead_code, reason = "only TLS reads the fields"))]
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Tls {
    pub(crate) ca_file: Option<PathBuf>,
    pub(crate) client: Option<ClientCertificate>,
}

/// The client's certificate and key.
#[cfg_attr(not(feature = "tls"), expect(dead_code, reason = "only TLS reads the fields"))]
#[derive(Clone, Debug)]
pub(crate) struct ClientCertificate {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

impl Tls {
    /// Trusts the system's authorities, and shows no client certificate.
    pub fn new() -> Self {
        Self::default()
    }

    /// A PEM file of the certificates to trust, instead of the system's.
    pub fn ca_file(self, path: impl Into<PathBuf>) -> Self {
        Self { ca_file: Some(path.into()), ..self }
    }

    /// The client's certificate, with its chain, and its private key, for a server that asks for
    /// them: two PEM files, which may be the same file.
    pub fn client_certificate(
        self,
        certificate: impl Into<PathBuf>,
        key: impl Into<PathBuf>,
    ) -> Self {
        let client = ClientCertificate { certificate: certificate.into(), key: key.into() };
        Self { client: Some(client), ..self }
    }
}
