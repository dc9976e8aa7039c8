//! Where a server listens, and where the testbed itself talks to it.

use std::path::{Path, PathBuf};

use crate::error::Result;
use crate::port::Port;
use crate::resp::Connection;

/// Below the 108 bytes that the name of a Unix socket may have, wherever the directory lies.
const SOCKET_FILE: &str = "redis.sock";

/// What a server listens on besides the port of its clients.
#[derive(Debug, Clone, Copy)]
pub(super) struct Doors {
    pub(super) tls: bool,
    pub(super) plain_beside_tls: bool,
    pub(super) bus: bool,
    pub(super) socket: bool,
}

/// The ports of one server, reserved, and its socket.
#[derive(Debug)]
pub(super) struct Listening {
    tls: bool,
    port: Port,
    plain_beside_tls: Option<Port>,
    bus: Option<Port>,
    socket: Option<PathBuf>,
}

impl Listening {
    pub(super) fn reserve(doors: Doors, dir: &Path) -> Result<Self> {
        let reserve = |wanted: bool| wanted.then(Port::reserve).transpose();
        // Without a plain port, only a socket is open to the testbed.
        let plain_beside_tls = reserve(doors.tls && doors.plain_beside_tls)?;
        let socket = doors.socket || (doors.tls && plain_beside_tls.is_none());
        Ok(Self {
            tls: doors.tls,
            port: Port::reserve()?,
            plain_beside_tls,
            bus: reserve(doors.bus)?,
            socket: socket.then(|| dir.join(SOCKET_FILE)),
        })
    }

    /// The port of the clients: of TLS where the server speaks it.
    pub(super) fn port(&self) -> u16 {
        self.port.number()
    }

    pub(super) fn plain(&self) -> Option<u16> {
        let plain = if self.tls { self.plain_beside_tls.as_ref() } else { Some(&self.port) };
        plain.map(Port::number)
    }

    pub(super) fn bus(&self) -> Option<u16> {
        self.bus.as_ref().map(Port::number)
    }

    pub(super) fn socket(&self) -> Option<&Path> {
        self.socket.as_deref()
    }

    /// A connection of the testbed's own, which does not speak TLS.
    pub(super) fn connect(&self) -> Result<Connection> {
        match (self.plain(), self.socket()) {
            (None, Some(path)) => Connection::open_unix(path),
            (port, _) => Connection::open(port.unwrap_or_default()),
        }
    }

    /// The lines of `redis.conf`.
    pub(super) fn config(&self) -> String {
        let mut text = format!("bind 127.0.0.1\nport {}\n", self.plain().unwrap_or_default());
        if self.tls {
            text.push_str(&format!("tls-port {}\n", self.port()));
        }
        if let Some(bus) = self.bus() {
            text.push_str(&format!("cluster-enabled yes\ncluster-port {bus}\n"));
        }
        if let Some(path) = &self.socket {
            text.push_str(&format!("unixsocket \"{}\"\nunixsocketperm 700\n", path.display()));
        }
        text
    }
}
