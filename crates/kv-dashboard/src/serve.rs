//! Serving the dashboard by itself, for programs that have no web server.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ConnectInfo;
use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use kv_core::{Error, ErrorKind, Result};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

use crate::Access;
use crate::Dashboard;

/// The most connections at a time; others wait to be accepted.
const MAX_CONNECTIONS: usize = 128;

/// How long a connection lives, so that a client that reads or writes slowly holds one no longer. A
/// browser opens another one.
const CONNECTION_TIME: Duration = Duration::from_secs(300);

/// How long the head of a request may take to arrive.
const HEAD_TIME: Duration = Duration::from_secs(10);

/// The largest head of a request in bytes.
const MAX_HEAD: usize = 32 << 10;

/// The pause after a connection could not be accepted, as when there are too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long open requests may take at the end.
const STOP_TIME: Duration = Duration::from_secs(5);

impl Dashboard {
    /// Serves the dashboard on a listener until `stop` ends. It also answers under the listener's own
    /// address as a host name.
    ///
    /// Connections are bounded in number, in time and in the size of what they send.
    ///
    /// ```no_run
    /// # async fn run(store: kv_core::Store) -> Result<(), Box<dyn std::error::Error>> {
    /// use kv_dashboard::{Access, Dashboard};
    /// let listener = tokio::net::TcpListener::bind("127.0.0.1:8420").await?;
    /// Dashboard::new(&store, Access::Loopback).serve(listener, std::future::pending()).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `Config` if others than this machine could connect and no token is asked for; `Connection` if
    /// the listener has no address.
    ///
    /// # Cancel safety
    /// A dropped future closes all connections.
    pub async fn serve(
        self,
        listener: TcpListener,
        stop: impl Future<Output = ()> + Send,
    ) -> Result<()> {
        let address = listener.local_addr().map_err(|error| {
            Error::new(ErrorKind::Connection, "the listener has no address").because(error)
        })?;
        if !address.ip().is_loopback() && !matches!(self.access(), Access::Token(_)) {
            let message = format!(
                "{address} can be reached from elsewhere; expected a loopback address, or a token"
            );
            return Err(Error::new(ErrorKind::Config, message));
        }
        let router = self.host(&address.ip().to_string()).router();
        let mut connections = JoinSet::new();
        tokio::select! {
            () = accept(&listener, &router, &mut connections) => {}
            () = stop => {}
        }
        let ended = async { while connections.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(STOP_TIME, ended).await;
        connections.shutdown().await;
        Ok(())
    }
}

async fn accept(listener: &TcpListener, router: &Router, connections: &mut JoinSet<()>) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        // The semaphore is never closed.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        while connections.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, peer)) => {
                let router = router.clone().layer(Extension(ConnectInfo::<SocketAddr>(peer)));
                connections.spawn(connection(stream, router, place));
            }
            Err(error) => {
                tracing::warn!(%error, "a connection cannot be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, router: Router, _place: OwnedSemaphorePermit) {
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    // What a client does wrong is between it and its connection.
    if let Ok(Err(error)) = tokio::time::timeout(CONNECTION_TIME, served).await {
        tracing::debug!(%error, "a connection has ended early");
    }
}
