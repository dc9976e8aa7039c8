//! The requests that must not get through, as tables.

/// A request: its name, its method, its path, its headers, and the status that it must get.
pub(super) type Case<'a> =
    (&'static str, &'static str, &'static str, &'a [(&'static str, &'a str)], u16);

pub(super) const HOST: (&str, &str) = ("host", "localhost:8420");
pub(super) const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
pub(super) const SAME: (&str, &str) = ("sec-fetch-site", "same-origin");

const CROSS: (&str, &str) = ("sec-fetch-site", "cross-site");
const NEAR: (&str, &str) = ("sec-fetch-site", "same-site");
const NAVIGATES: (&str, &str) = ("sec-fetch-mode", "navigate");
const OWN: (&str, &str) = ("origin", "http://localhost:8420");
const EVIL: (&str, &str) = ("origin", "http://evil.example");
const RIGHT: (&str, &str) = ("authorization", "Bearer 0b4c8d3fb1a94f6e8f0d");
const PASSWORD: (&str, &str) = ("authorization", "Basic YWRhOjBiNGM4ZDNmYjFhOTRmNmU4ZjBk");

type Headers = &'static [(&'static str, &'static str)];

const fn get(
    name: &'static str,
    path: &'static str,
    headers: Headers,
    status: u16,
) -> Case<'static> {
    (name, "GET", path, headers, status)
}

const fn act(name: &'static str, headers: Headers, status: u16) -> Case<'static> {
    (name, "POST", "/act", headers, status)
}

/// By another name than the dashboard's.
pub(super) const NAMES: [Case<'_>; 3] = [
    get("no name", "/", &[], 421),
    get("two names", "/", &[HOST, ("host", "evil.example")], 421),
    get("another name in the address", "http://evil.example/", &[HOST], 421),
];

/// From another machine.
pub(super) const ELSEWHERE: [Case<'_>; 6] = [
    get("another machine", "/", &[HOST], 403),
    act("another machine acts", &[HOST, FORM, SAME], 403),
    get("another machine says it is this", "/", &[HOST, ("x-real-ip", "127.0.0.1")], 403),
    get("metrics from another machine", "/metrics", &[HOST], 403),
    get("the style too", "/style.css", &[HOST], 403),
    get("a page that is not there", "/none", &[HOST], 403),
];

/// From this machine, in the name of another.
pub(super) const FORWARDED: [Case<'_>; 3] = [
    get("through a proxy", "/", &[HOST, ("x-forwarded-for", "192.0.2.1")], 403),
    get("through a newer proxy", "/", &[HOST, ("forwarded", "for=192.0.2.1")], 403),
    get("through a cache", "/", &[HOST, ("via", "1.1 cache")], 403),
];

/// Without the token.
pub(super) const TOKENS: [Case<'_>; 4] = [
    get("no token", "/", &[HOST], 401),
    get("the token in the address", "/?token=0b4c8d3fb1a94f6e8f0d", &[HOST], 401),
    get("two tokens", "/", &[HOST, ("authorization", "Bearer a"), RIGHT], 401),
    act("an action without a token", &[HOST, FORM, SAME], 401),
];

/// With the token.
pub(super) const TOLD: [Case<'_>; 2] =
    [get("a token", "/", &[HOST, RIGHT], 200), get("a password", "/", &[HOST, PASSWORD], 200)];

/// From a page of another site.
pub(super) const SITES: [Case<'_>; 19] = [
    act("another site", &[HOST, FORM, CROSS], 403),
    act("another host of the site", &[HOST, FORM, NEAR], 403),
    act("nobody's page", &[HOST, FORM, ("sec-fetch-site", "none")], 403),
    act("an unknown word", &[HOST, FORM, ("sec-fetch-site", "SAME-ORIGIN")], 403),
    act("another site with our origin", &[HOST, FORM, OWN, CROSS], 403),
    act("our site with another origin", &[HOST, FORM, SAME, EVIL], 403),
    act("neither word", &[HOST, FORM], 403),
    act("another origin", &[HOST, FORM, EVIL], 403),
    act("no origin", &[HOST, FORM, ("origin", "null")], 403),
    act("another port", &[HOST, FORM, ("origin", "http://localhost:9")], 403),
    act("another scheme", &[HOST, FORM, ("origin", "file://localhost:8420")], 403),
    act("an origin with more", &[HOST, FORM, ("origin", "http://localhost:8420.evil")], 403),
    act("two origins", &[HOST, FORM, OWN, EVIL], 403),
    get("a picture of a page", "/", &[HOST, CROSS, ("sec-fetch-mode", "no-cors")], 403),
    get("a script of a page", "/live.js", &[HOST, NEAR, ("sec-fetch-mode", "no-cors")], 403),
    get("another site's updates", "/live", &[HOST, CROSS, ("sec-fetch-mode", "cors")], 403),
    act("JSON in place of a form", &[HOST, SAME, ("content-type", "application/json")], 415),
    act("plain text in place of a form", &[HOST, SAME, ("content-type", "text/plain")], 415),
    act("no kind of form", &[HOST, SAME], 415),
];

/// From a page of the dashboard, or by a link.
pub(super) const OWN_SITE: [Case<'_>; 4] = [
    get("a link to a page", "/", &[HOST, CROSS, NAVIGATES], 200),
    get("a bookmark", "/", &[HOST, ("sec-fetch-site", "none")], 200),
    act("an older browser", &[HOST, FORM, OWN], 303),
    act("a browser", &[HOST, FORM, OWN, SAME], 303),
];

/// To paths and by methods that lead nowhere.
pub(super) const PATHS: [Case<'_>; 18] = [
    ("up", "GET", "/../etc/passwd", &[HOST], 404),
    ("up, encoded", "GET", "/%2e%2e/%2e%2e/etc/passwd", &[HOST], 404),
    ("up from a page", "GET", "/queue/../act?queue=mails", &[HOST], 404),
    ("two slashes", "GET", "//evil.example/", &[HOST], 404),
    ("a backslash", "GET", "/%5cevil.example", &[HOST], 404),
    ("an end of a line", "GET", "/%0d%0aset-cookie:%20a=b", &[HOST], 404),
    ("a file of the dashboard", "GET", "/assets/style.css", &[HOST], 404),
    ("an action by a link", "GET", "/act?queue=mails&action=pause", &[HOST], 405),
    ("a page by a form", "POST", "/queue?queue=mails", &[HOST, SAME, FORM], 405),
    ("a deletion", "DELETE", "/queue?queue=mails", &[HOST, SAME], 405),
    ("a put", "PUT", "/act", &[HOST, SAME, FORM], 405),
    ("a put of another site", "PUT", "/act", &[HOST, FORM], 403),
    ("another method by a header", "GET", "/act", &[HOST, ("x-http-method-override", "POST")], 405),
    ("another path by a header", "GET", "/none", &[HOST, ("x-original-url", "/act")], 404),
    ("a queue that is a path", "GET", "/queue?queue=..%2f..%2fmails", &[HOST], 404),
    ("a queue with a null", "GET", "/queue?queue=mails%00", &[HOST], 404),
    ("a key of the library", "GET", "/key?key=%21kv%3Aqueues", &[HOST], 400),
    ("a queue that is no UTF-8", "GET", "/queue?queue=%ff%fe", &[HOST], 404),
];
