//! What a page says: its title, and where it links to.

use reqwest::Url;

/// A page as far as the crawler understands it. A real one takes a parser of HTML.
pub(crate) struct Html {
    pub(crate) title: String,
    pub(crate) links: Vec<Url>,
}

impl Html {
    /// Reads a page that was fetched from this URL.
    pub(crate) fn read(from: &Url, text: &str) -> Self {
        let title = between(text, "<title>", "</title>").unwrap_or_default();
        let mut links: Vec<Url> = text
            .split("href=\"")
            .skip(1)
            .filter_map(|rest| link(from, rest.split('"').next()?))
            .collect();
        links.sort_unstable();
        links.dedup();
        Self { title: title.trim().to_owned(), links }
    }
}

/// Where a link leads to; nothing if it is none that is crawled.
pub(crate) fn link(from: &Url, to: &str) -> Option<Url> {
    let mut url = from.join(to).ok()?;
    // A place in a page is no page of its own.
    url.set_fragment(None);
    (url.scheme() == "http" && url.host_str().is_some()).then_some(url)
}

fn between<'t>(text: &'t str, begin: &str, end: &str) -> Option<&'t str> {
    let (_, rest) = text.split_once(begin)?;
    Some(rest.split_once(end)?.0)
}
