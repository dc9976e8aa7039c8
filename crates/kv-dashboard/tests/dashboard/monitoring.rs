//! The board and the alerts ask for figures that there are.

use std::collections::BTreeSet;

use kv_queue::Job;
use serde_json::{Value, json};

use crate::place::Place;

const BOARD: &str = include_str!("../../../../docs/monitoring/grafana.json");
const ALERTS: &str = include_str!("../../../../docs/monitoring/alerts.yml");
const PAGE: &str = include_str!("../../../../docs/OPERATING.md");

/// The names of figures in a text.
fn figures(text: &str) -> BTreeSet<&str> {
    let is_name = |c: char| c.is_ascii_lowercase() || c == '_';
    let words = text.split(|c| !is_name(c)).filter(|word| word.starts_with("oc_kv_"));
    words.collect()
}

#[tokio::test]
async fn every_figure_of_the_board_the_alerts_and_the_page_is_in_the_metrics() {
    let place = Place::memory();
    let statistics = kv_layers::Statistics::new();
    let queue = place.queue("mails").await;
    queue.enqueue(Job::new(json!(1)).group("a")).await.unwrap();
    let viewer = crate::place::Viewer::of(place.dashboard().statistics(&statistics));
    let metrics = viewer.get("/metrics?groups=1").await;
    for text in [BOARD, ALERTS, PAGE] {
        let asked = figures(text);
        assert!(asked.len() > 4, "{asked:?}");
        for figure in asked {
            let help = format!("# HELP {figure} ");
            assert!(metrics.text.contains(&help), "{figure} is not in {}", metrics.text);
        }
    }
}

#[test]
fn the_board_is_json_whose_panels_do_not_overlap() {
    let board: Value = serde_json::from_str(BOARD).unwrap();
    let panels = board["panels"].as_array().unwrap();
    let places: BTreeSet<_> = panels
        .iter()
        .map(|panel| (panel["gridPos"]["x"].as_u64(), panel["gridPos"]["y"].as_u64()))
        .collect();
    assert_eq!(places.len(), panels.len());
}
