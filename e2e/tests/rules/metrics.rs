//! docs/metrics.md is complete: every metric that a service describes is on the page, and nothing else is.

use std::collections::BTreeSet;
use std::path::Path;

use e2e::coverage::quoted;
use e2e::members;

#[test]
fn the_page_of_metrics_names_each_metric_of_the_fleet_and_no_other() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/metrics.md");
    let documented = quoted(&std::fs::read_to_string(page).unwrap(), '`');
    let own = members::ALL.iter().flat_map(|service| (service.describe)().metrics);
    let all = own.chain(chassis::of_every_service().metrics);
    let described: BTreeSet<String> = all.map(|metric| metric.name).collect();
    assert_eq!(documented, described);
}
