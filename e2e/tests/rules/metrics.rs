//! docs/metrics.md is complete: every metric in the code is on the page, and nothing else is.

use std::collections::BTreeSet;
use std::path::Path;

const PREFIX: &str = "flotilla_";

/// The names that begin like a metric's, between two of these.
fn names(text: &str, quote: char) -> BTreeSet<String> {
    let is_name = |part: &&str| {
        let part = part.strip_prefix(PREFIX).unwrap_or_default();
        !part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase() || c == '_')
    };
    text.split(quote).filter(is_name).map(str::to_owned).collect()
}

/// As it is called in the code: Prometheus adds the kind and the unit.
fn in_code(name: &str) -> String {
    let seconds = name.strip_suffix("_seconds").unwrap_or(name);
    name.strip_suffix("_total").unwrap_or(seconds).to_owned()
}

#[test]
fn the_page_of_metrics_names_each_metric_in_the_code_and_no_other() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let read = |path: &str| std::fs::read_to_string(root.join(path)).unwrap();
    let sources = ["crates/chassis/src/ops/telemetry/metrics.rs", "services/order/src/measures.rs"];
    let measured: BTreeSet<String> =
        sources.iter().flat_map(|path| names(&read(path), '"')).map(|n| in_code(&n)).collect();
    let documented: BTreeSet<String> =
        names(&read("docs/metrics.md"), '`').iter().map(|name| in_code(name)).collect();
    assert_eq!(documented, measured);
}
