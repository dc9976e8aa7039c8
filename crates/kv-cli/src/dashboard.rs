//! The live page, and the metrics.

use std::net::SocketAddr;
use std::path::Path;

use kv_core::Store;
use kv_dashboard::{Access, Dashboard, Token};
use serde_json::json;
use tokio::net::TcpListener;

use crate::arguments::DashboardOptions;
use crate::failure::{Failure, Result};
use crate::output::{Output, print};

/// The most bytes of a file with a token.
const MAX_TOKEN: usize = 1_024;

/// Serves the page until the command is stopped.
pub(crate) async fn serve(store: &Store, options: DashboardOptions, output: &Output) -> Result<()> {
    let access = access(&options)?;
    let listener = TcpListener::bind(options.listen).await.map_err(|error| {
        Failure::Failed(format!("{} cannot be listened on: {error}", options.listen))
    })?;
    log_actions();
    let address = listener.local_addr().unwrap_or(options.listen);
    let url = format!("http://{address}/");
    output.done(&format!("the dashboard is at {url}"), &json!({ "url": url }));
    dashboard(store, access, &options)?.serve(listener, stopped()).await?;
    Ok(())
}

/// Prints the metrics of the store and its queues.
pub(crate) async fn metrics(store: &Store, groups: bool) -> Result<()> {
    print(kv_dashboard::metrics(store, groups).await.trim_end());
    Ok(())
}

fn dashboard(store: &Store, access: Access, options: &DashboardOptions) -> Result<Dashboard> {
    let mut dashboard = Dashboard::new(store, access).base_path(&options.base_path)?;
    for host in &options.hosts {
        dashboard = dashboard.host(host);
    }
    for namespace in &options.secrets {
        dashboard = dashboard.secret_namespace(namespace);
    }
    if options.allow_actions {
        dashboard = dashboard.allow_actions();
    }
    if options.payloads {
        dashboard = dashboard.show_payloads();
    }
    if options.values {
        dashboard = dashboard.show_values();
    }
    Ok(dashboard)
}

/// A token is in a file, because others on the machine can see a command line.
fn access(options: &DashboardOptions) -> Result<Access> {
    match &options.token_file {
        Some(file) => Ok(Access::Token(token(file)?)),
        None if is_loopback(options.listen) => Ok(Access::Loopback),
        None => Err(Failure::Usage(format!(
            "{} can be reached from other machines; give --token-file, or listen on 127.0.0.1",
            options.listen
        ))),
    }
}

fn is_loopback(address: SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

fn token(file: &Path) -> Result<Token> {
    let read = std::fs::read_to_string(file);
    let text = read.map_err(|error| {
        Failure::Usage(format!("the token in {} cannot be read: {error}", file.display()))
    })?;
    if text.len() > MAX_TOKEN {
        let message = format!("{} has more than {MAX_TOKEN} bytes", file.display());
        return Err(Failure::Usage(message));
    }
    Ok(Token::new(text.trim())?)
}

/// The log of actions, on standard error.
fn log_actions() {
    let log = tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false);
    // Another log may be there only in a test.
    let _ = log.try_init();
}

/// Ends at SIGINT or SIGTERM.
async fn stopped() {
    let interrupted = tokio::signal::ctrl_c();
    #[cfg(unix)]
    if let Ok(mut terminated) =
        tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
    {
        tokio::select! {
            _ = interrupted => {}
            _ = terminated.recv() => {}
        }
        return;
    }
    // Without a handler the default ends the process.
    if interrupted.await.is_err() {
        std::future::pending::<()>().await;
    }
}
