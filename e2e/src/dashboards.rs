//! The dashboards that observability/dashboards has for Grafana, as tables of panels: a title, a unit, queries. The
//! files are written from them by a test, as Grafana's own form repeats everything for each panel and is read by
//! nobody. What is on each dashboard is in `boards`, the queries that recur in `queries`; here is what a panel is, and
//! how Grafana wants it.

mod boards;
mod queries;

use serde_json::{Value, json};

pub use boards::all;
pub use queries::Query;

/// Grafana's name for the form of these files: that of version 11, which later ones read.
const SCHEMA_VERSION: u32 = 39;
/// Grafana's grid is this wide.
const GRID_WIDTH: usize = 24;
const PANELS_IN_A_LINE: usize = 3;
const PANEL_HEIGHT: usize = 8;
/// How often a dashboard that is looked at asks again: as often as Prometheus scrapes.
const REFRESH: &str = "15s";

/// A dashboard.
#[derive(Debug)]
pub struct Board {
    /// Its file's name, and how Grafana tells it from others.
    pub name: &'static str,
    /// What it is called.
    pub title: &'static str,
    /// What it is for.
    pub about: &'static str,
    /// Whether it shows one service, which is chosen above it.
    pub of_one_service: bool,
    /// Its panels, in groups that have a title.
    pub rows: Vec<Row>,
}

/// A group of panels.
#[derive(Debug)]
pub struct Row {
    /// What they have in common.
    pub title: &'static str,
    /// From left to right, and on in the next line.
    pub panels: Vec<Panel>,
}

/// A panel.
#[derive(Debug)]
pub struct Panel {
    /// What it shows.
    pub title: &'static str,
    /// Grafana's name of its unit.
    pub unit: &'static str,
    /// How.
    pub kind: Kind,
    /// What it asks.
    pub queries: Vec<Query>,
}

/// How a panel shows what it asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Over time.
    Lines,
    /// The present value.
    Number,
    /// What there is at present, a line each.
    Table,
    /// The traces that Tempo, not Prometheus, finds.
    Traces,
}

impl Board {
    /// What `$it` stands for in the queries.
    fn it(&self) -> &'static str {
        match self.of_one_service {
            true => r#"job="flotilla",namespace=~"$namespace",service=~"$service""#,
            false => r#"job="flotilla",namespace=~"$namespace""#,
        }
    }

    /// The queries that Prometheus answers, as Grafana sends them once it knows its variables.
    pub fn queries(&self) -> impl Iterator<Item = (&Panel, String)> {
        let asked = self.panels().filter(|panel| panel.kind != Kind::Traces);
        asked.flat_map(move |panel| {
            panel.queries.iter().map(move |query| (panel, self.expanded(query)))
        })
    }

    fn panels(&self) -> impl Iterator<Item = &Panel> {
        self.rows.iter().flat_map(|row| &row.panels)
    }

    fn expanded(&self, query: &Query) -> String {
        query.asks.replace("$it", self.it())
    }

    /// The file.
    pub fn document(&self) -> String {
        let mut panels = Vec::new();
        let mut y = 0;
        for row in &self.rows {
            panels.push(json!({
                "type": "row", "title": row.title, "collapsed": false, "panels": [], "id": panels.len() + 1,
                "gridPos": { "x": 0, "y": y, "w": GRID_WIDTH, "h": 1 },
            }));
            y += 1;
            for line in row.panels.chunks(PANELS_IN_A_LINE) {
                let width = GRID_WIDTH / line.len();
                for (place, panel) in line.iter().enumerate() {
                    let grid = json!({ "x": place * width, "y": y, "w": width, "h": PANEL_HEIGHT });
                    panels.push(self.panel(panel, panels.len() + 1, grid));
                }
                y += PANEL_HEIGHT;
            }
        }
        let document = json!({
            "uid": format!("flotilla-{}", self.name),
            "title": format!("Flotilla: {}", self.title),
            "description": self.about,
            "tags": ["flotilla"],
            "schemaVersion": SCHEMA_VERSION,
            "version": 1,
            "editable": true,
            "graphTooltip": 1,
            "refresh": REFRESH,
            "time": { "from": "now-1h", "to": "now" },
            "timezone": "",
            "links": [{
                "type": "dashboards", "tags": ["flotilla"], "title": "Flotilla", "asDropdown": true,
                "includeVars": true, "keepTime": true,
            }],
            "templating": { "list": self.variables() },
            "panels": panels,
        });
        let text = serde_json::to_string_pretty(&document).expect("a dashboard is plain data");
        format!("{text}\n")
    }

    fn panel(&self, panel: &Panel, id: usize, grid: Value) -> Value {
        let source = panel.kind.source();
        let targets = panel.queries.iter().zip('A'..).map(|(query, letter)| match panel.kind {
            Kind::Traces => json!({
                "refId": letter.to_string(), "datasource": source, "queryType": "traceql",
                "query": query.asks, "limit": 20, "tableType": "traces",
            }),
            Kind::Lines | Kind::Number | Kind::Table => json!({
                "refId": letter.to_string(), "datasource": source, "expr": self.expanded(query),
                "legendFormat": query.legend, "instant": panel.kind != Kind::Lines,
                "range": panel.kind == Kind::Lines,
                "format": if panel.kind == Kind::Table { "table" } else { "time_series" },
            }),
        });
        json!({
            "id": id,
            "type": panel.kind.name(),
            "title": panel.title,
            "datasource": source,
            "gridPos": grid,
            "targets": targets.collect::<Vec<_>>(),
            "fieldConfig": {
                "defaults": { "unit": panel.unit, "min": 0, "custom": panel.kind.field() },
                "overrides": [],
            },
            "options": panel.kind.options(),
        })
    }

    fn variables(&self) -> Vec<Value> {
        let prometheus = Kind::Lines.source();
        let source = |name: &str, kind: &str, label: &str| {
            json!({
                "name": name, "label": label, "type": "datasource", "query": kind,
            })
        };
        // All of them by a pattern that also matches none: outside Kubernetes there are no namespaces.
        let label = |name: &str, query: &str| {
            json!({
                "name": name, "type": "query", "datasource": prometheus, "query": query, "refresh": 2,
                "includeAll": true, "allValue": ".*", "multi": true, "sort": 1,
                "current": { "text": "All", "value": "$__all" },
            })
        };
        let mut variables = vec![
            source("datasource", "prometheus", "Metrics"),
            label("namespace", "label_values(flotilla_build_info, namespace)"),
        ];
        if self.of_one_service {
            variables.push(label("service", "label_values(flotilla_build_info, service)"));
        }
        if self.panels().any(|panel| panel.kind == Kind::Traces) {
            variables.push(source("traces", "tempo", "Traces"));
            variables
                .push(json!({ "name": "order", "label": "Order", "type": "textbox", "query": "" }));
        }
        variables
    }
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Lines => "timeseries",
            Kind::Number => "stat",
            Kind::Table | Kind::Traces => "table",
        }
    }

    fn source(self) -> Value {
        match self {
            Kind::Traces => json!({ "type": "tempo", "uid": "${traces}" }),
            Kind::Lines | Kind::Number | Kind::Table => {
                json!({ "type": "prometheus", "uid": "${datasource}" })
            }
        }
    }

    fn field(self) -> Value {
        match self {
            Kind::Lines => json!({ "lineWidth": 1, "fillOpacity": 10, "showPoints": "never" }),
            Kind::Number | Kind::Table | Kind::Traces => json!({}),
        }
    }

    fn options(self) -> Value {
        match self {
            Kind::Lines => json!({
                "legend": { "displayMode": "list", "placement": "bottom", "showLegend": true },
                "tooltip": { "mode": "multi", "sort": "desc" },
            }),
            Kind::Number => json!({
                "reduceOptions": { "calcs": ["lastNotNull"], "fields": "", "values": false },
                "colorMode": "none", "graphMode": "area", "textMode": "auto",
            }),
            Kind::Table | Kind::Traces => json!({ "showHeader": true, "cellHeight": "sm" }),
        }
    }
}
