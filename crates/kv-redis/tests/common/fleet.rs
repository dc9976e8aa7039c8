//! Servers in every arrangement, whose clocks are stepped together.

use std::time::Duration;

use kv_redis::{Protocol, RedisConfig, RedisConfigBuilder, Tls};
use kv_testbed::{RedisCluster, RedisSentinels, RedisServer};

/// Longer than all steps of a test together: no node takes another for failed.
const NO_TIMEOUT: Duration = Duration::from_secs(1_000_000_000);

pub(crate) enum Fleet {
    Cluster(RedisCluster),
    Sentinels(RedisSentinels),
    /// With a certificate on both sides, and passwords.
    Tls(Vec<RedisServer>),
    /// Over a Unix socket, in RESP3.
    Unix(Vec<RedisServer>),
    Valkey(Vec<RedisServer>),
}

impl Fleet {
    /// Six nodes, three of which have slots.
    pub(crate) fn cluster() -> Self {
        let builder = RedisCluster::builder().clock().node_timeout(NO_TIMEOUT);
        let builder = builder.config("repl-timeout", "1000000000");
        Self::Cluster(builder.start().unwrap())
    }

    pub(crate) fn sentinels() -> Self {
        let builder = RedisSentinels::builder().clock().down_after(Duration::from_secs(3_600));
        let builder = builder.password("node secret").sentinel_password("sentinel secret");
        Self::Sentinels(builder.config("repl-timeout", "1000000000").start().unwrap())
    }

    pub(crate) fn tls() -> Self {
        let tls = kv_testbed::Tls::new().unwrap();
        let tls = tls.client_certificate(kv_testbed::ClientCertificate::Required);
        let builder = RedisServer::builder().clock().password("secret").tls(tls);
        Self::Tls(vec![builder.start().unwrap()])
    }

    pub(crate) fn unix() -> Self {
        let builder = RedisServer::builder().clock().unix_socket();
        Self::Unix(vec![builder.start().unwrap()])
    }

    pub(crate) fn valkey() -> Self {
        Self::Valkey(vec![RedisServer::builder().valkey().clock().start().unwrap()])
    }

    /// How to reach it.
    pub(crate) fn config(&self) -> RedisConfigBuilder {
        let builder = RedisConfig::builder();
        let local = |port: u16| format!("127.0.0.1:{port}");
        match self {
            // Two are enough to find all.
            Self::Cluster(cluster) => {
                builder.cluster(cluster.ports().into_iter().take(2).map(local))
            }
            Self::Sentinels(sentinels) => {
                let nodes = sentinels.sentinel_ports().into_iter().map(local);
                let builder = builder.sentinel(sentinels.master_name(), nodes);
                builder.sentinel_credentials(None, "sentinel secret").password("node secret")
            }
            Self::Tls(servers) => {
                let files = servers[0].tls().unwrap();
                let (certificate, key) = files.client();
                let tls = Tls::new().ca_file(files.ca()).client_certificate(certificate, key);
                let builder = builder.host("127.0.0.1").port(servers[0].port());
                builder.password("secret").tls(tls)
            }
            Self::Unix(servers) => {
                let path = servers[0].unix_path().unwrap();
                builder.unix_socket(path).protocol(Protocol::Resp3)
            }
            Self::Valkey(servers) => builder.host("127.0.0.1").port(servers[0].port()),
        }
    }

    /// All servers that keep data.
    pub(crate) fn servers(&self) -> &[RedisServer] {
        match self {
            Self::Cluster(cluster) => cluster.nodes(),
            Self::Sentinels(sentinels) => sentinels.nodes(),
            Self::Tls(servers) | Self::Unix(servers) | Self::Valkey(servers) => servers,
        }
    }

    /// Those that take writes.
    fn primaries(&self) -> Vec<&RedisServer> {
        let at = match self {
            Self::Cluster(cluster) => cluster.primaries().unwrap(),
            Self::Sentinels(sentinels) => vec![sentinels.primary().unwrap()],
            Self::Tls(_) | Self::Unix(_) | Self::Valkey(_) => vec![0],
        };
        at.into_iter().map(|at| &self.servers()[at]).collect()
    }

    /// Removes everything, on the replicas too.
    pub(crate) fn flush(&self) {
        for server in self.primaries() {
            server.cli(&["FLUSHALL"]).unwrap();
        }
    }

    pub(crate) fn freeze_at(&self, since_epoch: Duration) {
        for server in self.servers() {
            server.clock().unwrap().freeze_at(since_epoch).unwrap();
        }
    }
}
