//! Encrypted connections that cannot be made, each for a reason that is told.

use std::error::Error as StdError;
use std::path::Path;

use kv_core::{Error, ErrorKind, KeyValueStore};
use kv_redis::{RedisConfig, RedisConfigBuilder, RedisStore, Tls};
use kv_testbed::{
    ClientCertificate, RedisCluster, RedisServer, ServerCertificate, Tls as Served, slot_of,
};
use tokio::time::timeout;

use crate::load::SOON;
use crate::support::{self, connect, expect_all, fill, move_on, names};

fn serving(served: Served) -> RedisServer {
    RedisServer::builder().tls(served).start().unwrap()
}

fn at(port: u16) -> RedisConfigBuilder {
    RedisConfig::builder().host("127.0.0.1").port(port).key_prefix("").timeout(SOON * 2)
}

/// Trusts the authority of a server.
fn trusting(server: &RedisServer) -> Tls {
    Tls::new().ca_file(server.tls().unwrap().ca())
}

/// The error of connecting, which comes in less than the configured time.
async fn refusal(builder: RedisConfigBuilder) -> Error {
    let connecting = RedisStore::connect(builder.build().unwrap());
    timeout(SOON, connecting).await.expect("it ends in time").unwrap_err()
}

fn says(error: &Error, kind: ErrorKind, words: &[&str]) {
    let text = error.to_string();
    assert_eq!(error.kind(), kind, "{error:?}");
    words.iter().for_each(|word| assert!(text.contains(word), "{text:?} lacks {word:?}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_another_authority_of_another_host_or_out_of_date_is_refused() {
    let good = serving(Served::new().unwrap());
    let other = Tls::new().ca_file(good.tls().unwrap().other_ca());
    let address = support::local(good.port());
    let error = refusal(at(good.port()).tls(other)).await;
    says(&error, ErrorKind::Config, &[&address, "no authority that is trusted"]);
    let cases = [
        (ServerCertificate::WrongHost, "for another name"),
        (ServerCertificate::Expired, "has expired"),
    ];
    for (shown, what) in cases {
        let server = serving(Served::new().unwrap().server_certificate(shown));
        let error = refusal(at(server.port()).tls(trusting(&server))).await;
        says(&error, ErrorKind::Config, &[what]);
    }
    for host in ["127.0.0.1", "localhost"] {
        connect(at(good.port()).host(host).tls(trusting(&good))).await.ping().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_without_a_certificate_or_with_a_strangers_is_told_so() {
    let server = serving(Served::new().unwrap().client_certificate(ClientCertificate::Required));
    let files = server.tls().unwrap();
    let showing = |(certificate, key)| trusting(&server).client_certificate(certificate, key);
    for tls in [trusting(&server), showing(files.stranger())] {
        for _ in 0..20 {
            let error = refusal(at(server.port()).tls(tls.clone())).await;
            says(&error, ErrorKind::Auth, &["certificate"]);
        }
    }
    connect(at(server.port()).tls(showing(files.client()))).await.ping().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_and_no_tls_do_not_meet() {
    let server = serving(Served::new().unwrap().with_plain_port());
    let plain = server.plain_port().unwrap();
    let error = refusal(at(plain).tls(trusting(&server))).await;
    says(&error, ErrorKind::Config, &["does not speak TLS"]);
    let error = refusal(at(server.port())).await;
    says(&error, ErrorKind::Connection, &["as it does if it speaks TLS"]);
    connect(at(plain)).await.ping().await.unwrap();
}

/// A file with these contents, which are in no error.
fn file(dir: &Path, name: &str, contents: &str) -> std::path::PathBuf {
    let path = dir.join(name);
    std::fs::write(&path, contents).unwrap();
    path
}

const CANARY: &str = "canary-5d1e";

fn shown(error: &Error) -> String {
    let mut text = format!("{error} {error:?}");
    let mut cause = error.source();
    while let Some(why) = cause {
        text.push_str(&format!(" {why} {why:?}"));
        cause = why.source();
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_used_is_named_with_its_field_and_not_shown() {
    let server = serving(Served::new().unwrap());
    let files = server.tls().unwrap();
    let dir = server.dir();
    let begun = format!("-----BEGIN CERTIFICATE-----\n{CANARY}\n-----END CERTIFICATE-----\n");
    let paths = [
        dir.join("missing.pem"),
        dir.to_owned(),
        file(dir, "empty.pem", ""),
        file(dir, "garbage.pem", CANARY),
        file(dir, "broken.pem", &begun),
        file(dir, "hollow.pem", &begun.replace(CANARY, "Y2FuYXJ5LTVkMWU=")),
    ];
    let (certificate, key) = files.client();
    for path in paths {
        let fields = [
            ("tls_ca_file", Tls::new().ca_file(&path)),
            ("tls_cert_file", trusting(&server).client_certificate(&path, &key)),
            ("tls_key_file", trusting(&server).client_certificate(&certificate, &path)),
        ];
        for (field, tls) in fields {
            let error = refusal(at(server.port()).tls(tls)).await;
            says(&error, ErrorKind::Config, &[field, path.to_str().unwrap()]);
            let shown = shown(&error);
            assert!(!shown.contains(CANARY) && !shown.contains("Y2FuYXJ5"), "{shown}");
        }
    }
    let other = files.stranger().1;
    let error =
        refusal(at(server.port()).tls(trusting(&server).client_certificate(certificate, &other)));
    says(&error.await, ErrorKind::Config, &["tls_key_file", other.to_str().unwrap()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_behind_tls_and_a_password_is_a_cluster() {
    let tls = Served::new().unwrap().client_certificate(ClientCertificate::Required);
    let builder = RedisCluster::builder().replicas(0).password("secret").tls(tls);
    let cluster = builder.start().unwrap();
    let files = cluster.nodes()[0].tls().unwrap();
    let (certificate, key) = files.client();
    let tls = Tls::new().ca_file(files.ca()).client_certificate(certificate, key);
    let config = || support::config(&cluster).tls(tls.clone());
    let error = refusal(config().password("another")).await;
    says(&error, ErrorKind::Auth, &["127.0.0.1:"]);
    assert!(!shown(&error).contains("another"), "{error:?}");
    let store = connect(config().password("secret")).await;
    let names = names(100);
    fill(&store, &names).await;
    move_on(&cluster, &names[..5]);
    expect_all(&store, &names).await;
    let migration = cluster.begin_move(slot_of("k"), support::next_to(&cluster, "k")).unwrap();
    assert_eq!(store.increment("k", 1, kv_core::Lifetime::Never).await.unwrap(), 1);
    migration.finish().unwrap();
    assert_eq!(store.increment("k", 1, kv_core::Lifetime::Never).await.unwrap(), 2);
}
