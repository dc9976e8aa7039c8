//! The job: fetch a page, record it, and follow its links.

use std::time::Duration;

use kv_core::{BoxError, Store};
use kv_queue::{Delivery, Job, Outcome, Queue};
use reqwest::header::{HeaderMap, LOCATION, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, Proxy, Response, StatusCode, Url};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::arguments::Arguments;
use crate::html::{Html, link};
use crate::robots;

/// What the crawler calls itself.
pub(crate) const NAME: &str = "oc-kv-polite";

/// The namespace of the pages.
pub(crate) const PAGES: &str = "pages";

/// The status of a page that its host asks crawlers to leave alone.
const EXCLUDED: u16 = 0;

/// How long a host is left alone that does not say how long.
const RETRY_LATER: Duration = Duration::from_secs(30);

/// More of a page is not read.
const MOST_BYTES: usize = 2 << 20;

/// A page to fetch.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Link {
    pub(crate) url: String,
    /// How many links it is away from where the crawl began.
    depth: u8,
}

/// A page as it was answered.
#[derive(Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) url: String,
    pub(crate) status: u16,
    title: String,
    links: usize,
}

#[derive(Clone)]
pub(crate) struct Crawler {
    client: Client,
    pages: Store,
    rules: Store,
    queue: Queue<Link>,
    domains: Vec<String>,
    depth: u8,
}

impl Crawler {
    pub(crate) fn new(
        arguments: &Arguments,
        store: &Store,
        queue: &Queue<Link>,
    ) -> Result<Self, BoxError> {
        // A redirect leads to another page, which has to wait for its turn like all.
        let client = Client::builder().user_agent(NAME).redirect(Policy::none()).no_proxy();
        let client = client.timeout(Duration::from_secs(20));
        let client = match &arguments.proxy {
            Some(proxy) => client.proxy(Proxy::http(proxy)?),
            None => client,
        };
        Ok(Self {
            client: client.build()?,
            pages: store.namespace(PAGES),
            rules: store.namespace("robots"),
            queue: queue.clone(),
            domains: arguments.seeds.iter().map(host).collect(),
            depth: arguments.depth,
        })
    }

    /// Enqueues pages that are within the crawl, each once.
    pub(crate) async fn follow(&self, urls: Vec<Url>, depth: u8) -> kv_core::Result<()> {
        let within = urls.into_iter().filter(|url| depth <= self.depth && self.is_within(url));
        let jobs = within.map(|url| {
            let (key, group) = (url.to_string(), host(&url));
            Job::new(Link { url: url.into(), depth }).unique(key).group(group)
        });
        self.queue.enqueue_many(jobs).await.map(drop)
    }

    fn is_within(&self, url: &Url) -> bool {
        let host = host(url);
        let is_of = |domain: &String| {
            host.strip_suffix(domain.as_str())
                .is_some_and(|sub| sub.is_empty() || sub.ends_with('.'))
        };
        self.domains.iter().any(is_of)
    }

    /// Handles one delivery. What fails here is tried again, with growing pauses.
    pub(crate) async fn visit(&self, delivery: Delivery<Link>) -> Result<Outcome, BoxError> {
        let Link { url, depth } = delivery.payload();
        let key = key_of(url);
        // Recorded by a delivery that ended before its ack did.
        if self.pages.exists(&key).await? {
            return Ok(Outcome::Done);
        }
        let url = Url::parse(url)?;
        if !robots::allow(&self.rules, &self.client, &url).await? {
            return self.record(&key, &url, EXCLUDED, &Html::read(&url, "")).await;
        }
        let answer = self.client.get(url.clone()).send().await?;
        let status = answer.status();
        if matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
            return Ok(Outcome::limited(retry_after(answer.headers())));
        }
        if status.is_server_error() {
            return Ok(Outcome::retry(format!("the server answered {status}")));
        }
        let mut page = Html { title: String::new(), links: Vec::new() };
        if status.is_redirection() {
            let to = answer.headers().get(LOCATION).and_then(|to| link(&url, to.to_str().ok()?));
            page.links.extend(to);
        } else if status.is_success() {
            page = Html::read(&url, &body(answer).await?);
        }
        // The links first: once it is recorded, nobody reads the page again.
        self.follow(page.links.clone(), depth.saturating_add(1)).await?;
        self.record(&key, &url, status.as_u16(), &page).await
    }

    async fn record(
        &self,
        key: &str,
        url: &Url,
        status: u16,
        page: &Html,
    ) -> Result<Outcome, BoxError> {
        let (title, links) = (page.title.clone(), page.links.len());
        self.pages.set(key, &Record { url: url.to_string(), status, title, links }).await?;
        Ok(Outcome::Done)
    }
}

/// The host of a URL, with its port if it has one: the group of its pages.
pub(crate) fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// The key of a page. A URL may be longer than a key.
fn key_of(url: &str) -> String {
    Sha256::digest(url).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// How long a host wants to be left alone, in whole seconds; a date counts as not said.
fn retry_after(headers: &HeaderMap) -> Duration {
    let seconds = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    seconds.map_or(RETRY_LATER, Duration::from_secs)
}

/// The text of an answer, up to what is read of a page.
pub(crate) async fn body(mut answer: Response) -> Result<String, BoxError> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await?
        && body.len() < MOST_BYTES
    {
        body.extend_from_slice(&chunk);
    }
    body.truncate(MOST_BYTES);
    Ok(String::from_utf8_lossy(&body).into_owned())
}
