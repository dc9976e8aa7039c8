//! Encrypted connections: whom to trust, and who one is.

use std::path::PathBuf;

/// How a connection is encrypted, and how each side proves who it is.
///
/// The server's certificate has to be valid for the name or the address that the store connects
/// to, and signed by an authority that is trusted: the system's, or those of
/// [`ca_file`](Self::ca_file) in their place. Nothing turns that off. TLS 1.2 and 1.3 are spoken.
///
/// The files are read when a store connects.
///
/// ```
/// use kv_redis::{RedisConfig, Tls};
/// let tls = Tls::new().ca_file("/etc/redis/ca.pem");
/// let config = RedisConfig::builder().host("db.internal").tls(tls).build();
/// assert!(config.is_ok());
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Tls {
    pub(crate) ca_file: Option<PathBuf>,
    pub(crate) client: Option<ClientCertificate>,
}

/// What a client shows of itself.
#[derive(Clone, Debug)]
pub(crate) struct ClientCertificate {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

impl Tls {
    /// Trusts the authorities that the system trusts, and shows no certificate of its own.
    pub fn new() -> Self {
        Self::default()
    }

    /// A file of the certificates to trust, in PEM, in place of the system's.
    pub fn ca_file(self, path: impl Into<PathBuf>) -> Self {
        Self { ca_file: Some(path.into()), ..self }
    }

    /// The certificate that is shown to a server that asks for one, with what leads to its
    /// authority, and its private key: two files in PEM, which may be one.
    pub fn client_certificate(
        self,
        certificate: impl Into<PathBuf>,
        key: impl Into<PathBuf>,
    ) -> Self {
        let client = ClientCertificate { certificate: certificate.into(), key: key.into() };
        Self { client: Some(client), ..self }
    }
}
