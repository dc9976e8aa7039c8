//! TLS for test servers: what they show, what they ask for, and the files that belong to it.

mod certificates;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use self::certificates::Certificates;
use crate::error::{Error, Result};

/// Which certificate a server shows. All are signed by the authority of [`TlsFiles::ca`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ServerCertificate {
    /// Valid for `localhost` and 127.0.0.1.
    #[default]
    Good,
    /// Valid for `elsewhere.invalid` only.
    WrongHost,
    /// Right but for its time, which ended in 2001.
    ///
    /// Servers that speak TLS among themselves, as a cluster does, refuse each other with it.
    Expired,
}

/// Whether a server wants a certificate of its clients, signed by the authority of
/// [`TlsFiles::ca`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ClientCertificate {
    /// It does not ask for one.
    #[default]
    NotAsked,
    /// It checks one that is shown.
    Optional,
    /// It refuses clients without one.
    Required,
}

/// The TLS settings of a server; clones share their certificates, so that servers can trust each
/// other.
///
/// Such a server listens with TLS alone. The testbed itself talks to it through a Unix socket.
#[derive(Debug, Clone)]
pub struct Tls {
    certificates: Arc<Certificates>,
    shown: ServerCertificate,
    asked: ClientCertificate,
    plain_port: bool,
}

impl Tls {
    /// Makes new authorities, certificates and keys.
    ///
    /// # Errors
    /// When they cannot be made.
    pub fn new() -> Result<Self> {
        Ok(Self {
            certificates: Arc::new(Certificates::make()?),
            shown: ServerCertificate::default(),
            asked: ClientCertificate::default(),
            plain_port: false,
        })
    }

    /// Which certificate the server shows.
    #[must_use]
    pub fn server_certificate(mut self, shown: ServerCertificate) -> Self {
        self.shown = shown;
        self
    }

    /// Whether the server wants a certificate of its clients.
    #[must_use]
    pub fn client_certificate(mut self, asked: ClientCertificate) -> Self {
        self.asked = asked;
        self
    }

    /// Lets the server also listen without TLS, see [`RedisServer::plain_port`].
    ///
    /// [`RedisServer::plain_port`]: crate::RedisServer::plain_port
    #[must_use]
    pub fn with_plain_port(mut self) -> Self {
        self.plain_port = true;
        self
    }

    pub(crate) fn wants_plain_port(&self) -> bool {
        self.plain_port
    }

    /// Writes the files into the server's directory.
    pub(crate) fn write(&self, dir: &Path) -> Result<TlsFiles> {
        let files = TlsFiles { dir: dir.join("tls") };
        fs::create_dir(&files.dir).map_err(Error::context("cannot make a directory for TLS"))?;
        for (name, pem) in self.certificates.files() {
            fs::write(files.dir.join(name), pem)
                .map_err(Error::context(format!("cannot write {name}")))?;
        }
        Ok(files)
    }

    /// The lines of `redis.conf` but for the ports.
    pub(crate) fn config(&self, files: &TlsFiles) -> String {
        let shown = match self.shown {
            ServerCertificate::Good => "server",
            ServerCertificate::WrongHost => "wrong-host",
            ServerCertificate::Expired => "expired",
        };
        let asked = match self.asked {
            ClientCertificate::NotAsked => "no",
            ClientCertificate::Optional => "optional",
            ClientCertificate::Required => "yes",
        };
        format!(
            "tls-cert-file \"{certificate}\"\ntls-key-file \"{key}\"\ntls-ca-cert-file \"{ca}\"\n\
             tls-auth-clients {asked}\ntls-replication yes\ntls-cluster yes\n",
            certificate = files.file(&format!("{shown}.pem")).display(),
            key = files.file(&format!("{shown}.key.pem")).display(),
            ca = files.ca().display(),
        )
    }
}

/// The PEM files of a server that speaks TLS; they lie in its directory.
#[derive(Debug)]
pub struct TlsFiles {
    dir: PathBuf,
}

impl TlsFiles {
    /// The authority that signed what the server shows and [`client`](Self::client).
    pub fn ca(&self) -> PathBuf {
        self.file("ca.pem")
    }

    /// An authority that the server does not know, and that did not sign what it shows.
    pub fn other_ca(&self) -> PathBuf {
        self.file("other-ca.pem")
    }

    /// A client's certificate, and its key, signed by the authority that the server knows.
    pub fn client(&self) -> (PathBuf, PathBuf) {
        (self.file("client.pem"), self.file("client.key.pem"))
    }

    /// A client's certificate, and its key, signed by the authority that the server does not know.
    pub fn stranger(&self) -> (PathBuf, PathBuf) {
        (self.file("stranger.pem"), self.file("stranger.key.pem"))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }
}
