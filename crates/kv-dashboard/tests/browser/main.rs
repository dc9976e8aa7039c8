//! The dashboard in a real browser: by keyboard, without JavaScript, live, and on a phone.

#![cfg(test)]

use std::net::SocketAddr;
use std::time::Duration;

use kv_core::Store;
use kv_dashboard::{Access, Dashboard};
use kv_queue::{Cron, Job, Queue};
use kv_testbed::Browser;
use serde_json::{Value, json};
use tokio::net::TcpListener;

const HOSTILE: &str = "<img src=x onerror=\"window.hacked=1\"><script>window.hacked=1</script>";

/// A served dashboard with something on each page, and a browser.
struct Site {
    address: SocketAddr,
    store: Store,
    queue: Queue<Value>,
    browser: Browser,
}

impl Site {
    async fn open() -> Self {
        let store = Store::new(kv_memory::MemoryStore::new());
        let queue = Queue::<Value>::open(&store, "mails").await.unwrap();
        fill(&store, &queue).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let dashboard = Dashboard::new(&store, Access::Loopback).allow_actions().show_payloads();
        let dashboard = dashboard.show_values().sample_every(Duration::from_millis(100));
        tokio::spawn(dashboard.serve(listener, std::future::pending()));
        Self { address, store, queue, browser: Browser::start().unwrap() }
    }

    fn go(&mut self, path: &str) {
        self.browser.go(&format!("http://{}{path}", self.address)).unwrap();
    }

    fn without_scripts(&mut self) {
        let off = json!({ "value": true });
        self.browser.command("Emulation.setScriptExecutionDisabled", &off).unwrap();
    }
}

async fn fill(store: &Store, queue: &Queue<Value>) {
    queue.enqueue_many(["lost", "refused"].map(|reason| json!(reason))).await.unwrap();
    for delivery in queue.dequeue(2).await.unwrap() {
        delivery.fail(delivery.payload().as_str().unwrap()).await.unwrap();
    }
    queue.enqueue(Job::new(json!({ HOSTILE: HOSTILE })).group(HOSTILE)).await.unwrap();
    let cron = Cron::new("30 2 * * *", "Europe/London").unwrap();
    queue.schedule(HOSTILE, cron, Job::new(json!(1))).await.unwrap();
    Queue::<Value>::open(store, HOSTILE).await.unwrap();
    store.namespace("pages").set(HOSTILE, HOSTILE).await.unwrap();
}

const PAGES: [&str; 8] = [
    "/",
    "/queue?queue=mails",
    "/waiting?queue=mails",
    "/dead?queue=mails",
    "/groups?queue=mails",
    "/schedules?queue=mails",
    "/store",
    "/none",
];

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_works_by_keyboard_and_without_javascript() {
    let mut site = Site::open().await;
    site.without_scripts();
    site.go("/");
    site.browser.press("a[href='/queue?queue=mails']", "Enter").unwrap();
    site.browser.wait_for_text("Since the queue was made").unwrap();
    site.browser.press("button[value=pause]", "Enter").unwrap();
    site.browser.wait_for_text("The queue is paused.").unwrap();
    assert!(site.queue.stats().await.unwrap().paused);
    site.browser.press("a[href='/dead?queue=mails']", "Enter").unwrap();
    site.browser.wait_for_text("2 dead letters.").unwrap();
    site.browser.press("input[name=id]", " ").unwrap();
    site.browser.press("button[value='redrive:selected']", "Enter").unwrap();
    site.browser.wait_for_text("ready again: 1").unwrap();
    site.go("/queue?queue=mails");
    site.browser.type_into("input[name=confirm]", "mails").unwrap();
    site.browser.press("button[value=clear]", "Enter").unwrap();
    site.browser.wait_for_text("Jobs removed: 3").unwrap();
    assert_eq!(site.queue.stats().await.unwrap().outstanding(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_change_live_until_the_viewer_pauses_them() {
    let mut site = Site::open().await;
    site.go("/queue?queue=mails");
    site.browser.wait_for_text(">live<").unwrap();
    site.browser.wait_for_text("<dt>Ready</dt><dd>1</dd>").unwrap();
    site.queue.enqueue_many((0..6).map(Value::from)).await.unwrap();
    site.browser.wait_for_text("<dt>Ready</dt><dd>7</dd>").unwrap();
    site.browser.wait_for_text("<polyline").unwrap();
    site.browser.press("button[aria-pressed]", "Enter").unwrap();
    site.browser.wait_for_text(">paused<").unwrap();
    site.browser.press("button[aria-pressed]", "Enter").unwrap();
    site.browser.wait_for_text(">live<").unwrap();
    let text = r#"document.querySelector("[data-live]").textContent"#;
    assert!(site.browser.evaluate(text).unwrap().as_str().unwrap().contains("Ready"));
}

/// Counts the open streams of the page.
const COUNTED: &str = "
    window.streams = 0;
    const Real = window.EventSource;
    window.EventSource = class extends Real {
      constructor(address) { super(address); window.streams += 1; }
      close() { super.close(); window.streams -= 1; }
    };
";

fn hide(is_hidden: bool) -> String {
    format!(
        "Object.defineProperty(document, 'hidden', {{ value: {is_hidden}, configurable: true }});
         document.dispatchEvent(new Event('visibilitychange')); window.streams"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hidden_page_asks_for_nothing() {
    let mut site = Site::open().await;
    let script = json!({ "source": COUNTED });
    site.browser.command("Page.addScriptToEvaluateOnNewDocument", &script).unwrap();
    site.go("/");
    site.browser.wait_for_text(">live<").unwrap();
    assert_eq!(site.browser.evaluate("window.streams").unwrap(), 1);
    assert_eq!(site.browser.evaluate(&hide(true)).unwrap(), 0);
    assert_eq!(site.browser.evaluate(&hide(false)).unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_page_runs_what_is_stored_or_breaks_its_own_policy() {
    let mut site = Site::open().await;
    for page in PAGES {
        site.go(page);
        site.browser.wait_for_text("oc-kv").unwrap();
        assert_eq!(site.browser.evaluate("window.hacked").unwrap(), Value::Null, "{page}");
        let elements = "document.querySelectorAll('main img, main script, main style').length";
        assert_eq!(site.browser.evaluate(elements).unwrap(), 0, "{page}");
    }
    let foreign = "performance.getEntriesByType('resource').filter(it => !it.name.startsWith(location.origin)).length";
    assert_eq!(site.browser.evaluate(foreign).unwrap(), 0);
    let complaints = site.browser.complaints().unwrap();
    // The page that is not there is an error to the browser too.
    let unexpected: Vec<_> = complaints.iter().filter(|it| !it.contains("/none")).collect();
    assert!(unexpected.is_empty(), "{unexpected:?}");
    drop(site.store);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_page_is_wider_than_a_phone() {
    let mut site = Site::open().await;
    let phone = json!({ "width": 360, "height": 640, "deviceScaleFactor": 2, "mobile": true });
    site.browser.command("Emulation.setDeviceMetricsOverride", &phone).unwrap();
    for page in PAGES {
        site.go(page);
        let width = site.browser.evaluate("document.documentElement.scrollWidth").unwrap();
        assert!(width.as_u64().unwrap() <= 360, "{page} is {width} wide");
    }
}

/// The contrast of text and ground by the formula of WCAG, for every element with a text of its own.
const CONTRAST: &str = r#"(() => {
  const channel = (c) => { c /= 255; return c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; };
  const light = (rgb) => 0.2126 * channel(rgb[0]) + 0.7152 * channel(rgb[1]) + 0.0722 * channel(rgb[2]);
  const colour = (text) => (text.match(/[\d.]+/g) || []).map(Number);
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const rgb = colour(getComputedStyle(at).backgroundColor);
      if (rgb.length === 3 || rgb[3] > 0) return rgb;
    }
    return [255, 255, 255];
  };
  const least = [21, ""];
  for (const element of document.body.querySelectorAll("*")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own) continue;
    const [one, other] = [light(colour(getComputedStyle(element).color)), light(ground(element))];
    const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    if (contrast < least[0]) [least[0], least[1]] = [contrast, element.outerHTML.slice(0, 200)];
  }
  return least;
})()"#;

#[tokio::test(flavor = "multi_thread")]
async fn text_can_be_read_by_day_and_by_night() {
    let mut site = Site::open().await;
    let mut grounds = Vec::new();
    for scheme in ["light", "dark"] {
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        site.browser.command("Emulation.setEmulatedMedia", &features).unwrap();
        for page in PAGES {
            site.go(page);
            let least = site.browser.evaluate(CONTRAST).unwrap();
            assert!(least[0].as_f64().unwrap() >= 4.5, "{scheme} {page}: {least}");
        }
        grounds.push(
            site.browser.evaluate("getComputedStyle(document.body).backgroundColor").unwrap(),
        );
    }
    assert_ne!(grounds[0], grounds[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_another_site_changes_nothing() {
    let mut site = Site::open().await;
    let other = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = other.local_addr().unwrap();
    let form = format!(
        "<form method=post action='http://{}/act'><input name=queue value=mails>\
         <button name=action value=pause>Win</button></form>",
        site.address
    );
    let page = axum::response::Html(form);
    let router = axum::Router::new().fallback(move || std::future::ready(page.clone()));
    let service = hyper_util::service::TowerToHyperService::new(router);
    tokio::spawn(async move {
        while let Ok((stream, _)) = other.accept().await {
            let stream = hyper_util::rt::TokioIo::new(stream);
            let served = hyper::server::conn::http1::Builder::new();
            tokio::spawn(served.serve_connection(stream, service.clone()));
        }
    });
    site.browser.go(&format!("http://localhost:{}/", address.port())).unwrap();
    site.browser.press("button", "Enter").unwrap();
    site.browser.wait_for_text("comes from a page of another site").unwrap();
    assert!(!site.queue.stats().await.unwrap().paused);
}
