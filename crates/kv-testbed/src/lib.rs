//! The project's own test servers: a real `redis-server` or `valkey-server` on a free port, a Redis
//! Cluster, Sentinels and their nodes, with TLS where a test wants it; a clock to step, a proxy that
//! breaks connections where a test wants it, processes to stop and kill, and a browser.
//!
//! Nothing has to be installed beforehand: see [`redis_binary`] and [`valkey_binary`]; for the tests
//! with Python a `python3` has to be there: see [`python`]. Everything listens on 127.0.0.1.

mod browser;
mod child;
mod clock;
mod cluster;
mod error;
mod port;
mod provision;
mod proxy;
mod python;
mod replication;
mod resp;
mod sentinels;
mod server;
mod signal;
mod tls;
mod wait;
mod workdir;

pub use browser::Browser;
pub use child::ChildTest;
pub use clock::SteppedClock;
pub use cluster::{RedisCluster, RedisClusterBuilder, SLOTS, SlotMigration, slot_of};
pub use error::{Error, Result};
pub use port::Port;
pub use provision::{
    BROWSER_VARIABLE, SERVER_VARIABLE, ServerBinary, VALKEY_VARIABLE, browser_binary, redis_binary,
    valkey_binary,
};
pub use proxy::{Cut, Mode, Proxy, Traffic};
pub use python::{PYTHON_VARIABLE, Python, python};
pub use resp::{Connection, Reply};
pub use sentinels::{RedisSentinels, RedisSentinelsBuilder};
pub use server::{RedisServer, RedisServerBuilder};
pub use tls::{ClientCertificate, ServerCertificate, Tls, TlsFiles};
pub use wait::eventually;
