//! The dashboards' files are what their tables say, ask for metrics that there are, and show every metric.

use std::collections::BTreeSet;

use e2e::dashboards::{self, Kind};
use e2e::series;

use crate::copies::is_current;

#[test]
fn the_files_are_what_the_tables_say_also_in_the_chart_and_for_kustomize() {
    for board in dashboards::all() {
        let document = board.document();
        for folder in ["observability", "helm/flotilla/files", "k8s/components/monitoring"] {
            is_current(&format!("{folder}/dashboards/{}.json", board.name), &document);
        }
    }
}

#[test]
fn every_metric_of_a_service_is_on_a_dashboard_and_every_panel_asks_for_one() {
    let boards = dashboards::all();
    let mut shown = BTreeSet::new();
    for (panel, asks) in boards.iter().flat_map(|board| board.queries()) {
        let asked = series::named_in(&asks);
        let recorded = asks.contains(":flotilla_") || asks.contains("ALERTS");
        assert!(!asked.is_empty() || recorded, "{}: {asks}", panel.title);
        shown.extend(asked);
    }
    let described = series::described();
    let unknown: Vec<_> = shown.difference(&described).collect();
    assert!(unknown.is_empty(), "no service has {unknown:?}");
    let hidden: Vec<_> = described.difference(&shown).collect();
    assert!(hidden.is_empty(), "no dashboard shows {hidden:?}");
}

#[test]
fn panels_of_a_dashboard_have_names_of_their_own_and_do_not_cover_each_other() {
    for board in dashboards::all() {
        let document: serde_json::Value = serde_json::from_str(&board.document()).unwrap();
        let panels = document["panels"].as_array().unwrap();
        let mut titles = BTreeSet::new();
        let mut covered = BTreeSet::new();
        for row in &board.rows {
            let own = row.panels.iter().filter(|panel| panel.kind != Kind::Number);
            for panel in own {
                assert!(titles.insert(panel.title), "{}: two are {}", board.name, panel.title);
            }
        }
        for panel in panels {
            let at = |key: &str| panel["gridPos"][key].as_u64().unwrap();
            for x in at("x")..at("x") + at("w") {
                for y in at("y")..at("y") + at("h") {
                    assert!(covered.insert((x, y)), "{}: {}", board.name, panel["title"]);
                }
            }
        }
    }
}
