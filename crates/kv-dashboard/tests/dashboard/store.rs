//! What the pages of the store show.

use std::collections::BTreeSet;
use std::time::Duration;

use kv_core::{Expiry, SetOptions};

use crate::place::{Place, Viewer};

pub(crate) async fn namespaces_and_keys_are_shown_with_the_time_left(place: &Place) {
    let while_there = SetOptions::new().ttl(Duration::from_secs(5_430));
    place.store.namespace("pages").set_with("a b", &1, while_there).await.unwrap();
    place.store.set("single", &2).await.unwrap();
    let page = place.viewer().get("/store").await;
    page.shows(&[
        r#"<a href="/store?prefix=pages%3A">pages</a>"#,
        "1 keys seen",
        r#"<a href="/key?key=pages%3Aa+b">pages:a b</a>"#,
        "1 h 30 min",
        "single",
        "for ever",
    ]);
    let page = place.viewer().get("/store?prefix=pages%3A").await;
    page.shows(&["pages:a b"]).hides(&["single", "Namespaces"]);
    place.viewer().get("/store?prefix=*").await.shows(&["No key here."]);
    place.queue("mails").await;
    place.viewer().get("/store").await.hides(&["!kv", "mails"]);
}

pub(crate) async fn a_secret_namespace_is_never_shown(place: &Place) {
    place.store.set("sessions:abc", &"secret value").await.unwrap();
    place.store.set("sessionsnot:abc", &1).await.unwrap();
    let dashboard = place.dashboard().show_values().allow_actions().secret_namespace("sessions");
    let viewer = Viewer::of(dashboard);
    viewer.get("/store").await.shows(&["sessionsnot:abc"]).hides(&["sessions:abc", ">sessions<"]);
    for path in ["/store?prefix=sessions%3A", "/store?prefix=sessions", "/metrics", "/"] {
        viewer.get(path).await.hides(&["sessions:abc", "secret value"]);
    }
    for key in ["sessions%3Aabc", "sessions%3Anone"] {
        let answer = viewer.get(&format!("/key?key={key}")).await;
        assert_eq!(answer.status, 403, "there and not there are answered alike");
        answer.hides(&["secret value"]);
    }
}

pub(crate) async fn a_value_is_shown_only_where_that_is_allowed(place: &Place) {
    place.store.set("user:1", &("Ada", 3)).await.unwrap();
    place.store.set_bytes("image", &b"\x89PNG<script>"[..]).await.unwrap();
    let hidden = place.viewer().get("/key?key=user%3A1").await;
    hidden.shows(&["Values are hidden", "for ever"]).hides(&["Ada"]);
    place.operator().get("/key?key=user%3A1").await.shows(&["&quot;Ada&quot;"]);
    let image = place.operator().get("/key?key=image").await;
    image.shows(&["12 bytes that do not decode as json", "PNG&lt;script&gt;"]);
    assert_eq!(place.operator().get("/key?key=none").await.status, 404);
    assert_eq!(place.operator().get("/key?key=a%21kv%3Aqueues").await.status, 400);
}

pub(crate) async fn every_key_is_on_some_page(place: &Place) {
    let keys: BTreeSet<String> = (0..1_000).map(|n| format!("k:{n:04}")).collect();
    place.store.set_many(keys.iter().map(|key| (key, 1)), Expiry::Never).await.unwrap();
    let viewer = place.viewer();
    let (mut seen, mut path, mut pages) = (BTreeSet::new(), "/store?prefix=k".to_owned(), 0);
    loop {
        let page = viewer.get(&path).await;
        page.shows(&["Keys"]);
        let shown = page.text.split("<th scope=\"row\">").skip(1);
        let shown: Vec<_> =
            shown.map(|row| row.split(['<', '>']).nth(2).unwrap().to_owned()).collect();
        assert!(shown.len() <= 300, "{} keys on a page", shown.len());
        seen.extend(shown);
        pages += 1;
        let Some(next) = page.text.split("href=\"").find(|link| link.contains("More keys")) else {
            break;
        };
        path = next.split('"').next().unwrap().replace("&amp;", "&");
    }
    assert_eq!(seen, keys);
    assert!(pages > 2, "{pages} pages");
    let forgotten = viewer.get("/store?prefix=k&from=999").await;
    assert_eq!(forgotten.status, 404, "{}", forgotten.text);
}
