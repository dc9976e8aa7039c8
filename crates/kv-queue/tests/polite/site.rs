//! A site of many hosts, asked as an HTTP proxy, that remembers who asked for what.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{Html, IntoResponse, Response};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::Instant;

/// What there is: the first host has the index and nearly all pages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) hosts: usize,
    pub(crate) pages_of_first: usize,
    pub(crate) pages_of_others: usize,
}

impl Plan {
    pub(crate) fn pages(&self) -> usize {
        self.pages_of_first + (self.hosts - 1) * self.pages_of_others
    }

    pub(crate) fn pages_of(&self, host: usize) -> usize {
        if host == 0 { self.pages_of_first } else { self.pages_of_others }
    }
}

/// The host whose first answer is 429.
pub(crate) const BUSY: usize = 3;

/// How long it then wants to be left alone.
pub(crate) const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The paths of these numbers are odd.
pub(crate) const MOVED: usize = 11;
pub(crate) const BROKEN: usize = 13;
pub(crate) const EXCLUDED: usize = 17;

/// What a host saw.
#[derive(Default)]
pub(crate) struct Seen {
    running: usize,
    pub(crate) most_running: usize,
    pub(crate) times: Vec<Instant>,
    /// How often each page was answered.
    pub(crate) answered: HashMap<String, usize>,
    pub(crate) robots: usize,
    pub(crate) refused_at: Option<Instant>,
    /// How many pages of the first host were asked for, when this host was asked last.
    pub(crate) first_by_then: usize,
}

pub(crate) struct Site {
    plan: Plan,
    /// How long a page takes, so that requests of a host can meet.
    latency: Duration,
    seen: Mutex<Vec<Seen>>,
    asked: watch::Sender<usize>,
}

impl Site {
    pub(crate) async fn start(plan: Plan, latency: Duration) -> (Arc<Self>, SocketAddr) {
        let seen = (0..plan.hosts).map(|_| Seen::default()).collect();
        let (asked, _) = watch::channel(0);
        let site = Arc::new(Self { plan, latency, seen: Mutex::new(seen), asked });
        let app = Router::new().fallback(answer).with_state(Arc::clone(&site));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await });
        (site, address)
    }

    /// Returns when so many pages were asked for.
    pub(crate) async fn asked(&self, pages: usize) {
        self.asked.subscribe().wait_for(|asked| *asked >= pages).await.unwrap();
    }

    pub(crate) fn seen(&self) -> std::sync::MutexGuard<'_, Vec<Seen>> {
        self.seen.lock().unwrap()
    }

    /// Notes a request; whether the host refuses it.
    fn begin(&self, host: usize, path: &str) -> bool {
        self.asked.send_modify(|asked| *asked += 1);
        let mut seen = self.seen();
        let first_by_then = seen[0].times.len();
        let seen = &mut seen[host];
        seen.times.push(Instant::now());
        seen.first_by_then = first_by_then;
        seen.running += 1;
        seen.most_running = seen.most_running.max(seen.running);
        let refuses = host == BUSY && seen.refused_at.is_none();
        if refuses {
            seen.refused_at = Some(Instant::now());
        } else {
            *seen.answered.entry(path.to_owned()).or_default() += 1;
        }
        refuses
    }

    /// The links of a page: the index has those of all hosts' first pages, each page has the next.
    fn page(&self, host: usize, number: usize) -> Response {
        let mut text = format!("<title>{host} {number}</title>");
        if (host, number) == (0, 0) {
            for host in 1..self.plan.hosts {
                for number in 0..self.plan.pages_of_others {
                    write!(text, r#"<a href="http://{}/{number}">"#, name(host)).unwrap();
                }
            }
            // Nobody follows these.
            text += r#"<a href="http://elsewhere.test/"><a href="mailto:a@site.test"><a href="">"#;
        }
        let next = (10 * number + 1..=10 * number + 10).filter(|it| *it < self.plan.pages_of(host));
        next.for_each(|next| write!(text, r##"<a href="/{next}#top">"##).unwrap());
        Html(text).into_response()
    }
}

/// The name of a host.
pub(crate) fn name(host: usize) -> String {
    if host == 0 { "site.test".to_owned() } else { format!("host-{host}.site.test") }
}

/// A request under way, which ends with its connection too.
struct Running<'s> {
    site: &'s Site,
    host: usize,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.site.seen()[self.host].running -= 1;
    }
}

async fn answer(State(site): State<Arc<Site>>, uri: Uri, headers: HeaderMap) -> Response {
    let asked = headers[header::HOST].to_str().unwrap();
    assert_eq!(uri.host(), Some(asked), "a proxy is asked for whole URLs");
    let host = (0..site.plan.hosts).find(|host| name(*host) == asked).unwrap();
    if uri.path() == "/robots.txt" {
        site.seen()[host].robots += 1;
        return format!("User-agent: *\nDisallow: /{EXCLUDED}\n").into_response();
    }
    let refuses = site.begin(host, uri.path());
    let running = Running { site: &site, host };
    tokio::time::sleep(site.latency).await;
    drop(running);
    if refuses {
        let headers = [(header::RETRY_AFTER, RETRY_AFTER.as_secs().to_string())];
        return (StatusCode::TOO_MANY_REQUESTS, headers).into_response();
    }
    match uri.path().trim_start_matches('/').parse().unwrap_or(0) {
        MOVED => (StatusCode::FOUND, [(header::LOCATION, "/moved-here")]).into_response(),
        BROKEN => StatusCode::NOT_FOUND.into_response(),
        number if uri.path() != "/moved-here" => site.page(host, number),
        _ => Html("<title>moved</title>").into_response(),
    }
}
