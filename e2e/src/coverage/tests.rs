//! Each check is applied to a service that does not exist: what it lacks is found, and named.

use super::*;
use roster::Neighbour;

/// On the roster, and nowhere else.
const GIFTS: Member = Member {
    name: "gifts",
    folder: "services/gifts",
    starts: Starts::WithTheFleet,
    owns: &["gifts.events"],
    hears: &["order.events"],
    neighbours: &[Neighbour { name: "printer", setting: "FLOTILLA_PRINTER" }],
};

fn finds(evidence: &Evidence, member: &Member, expected: &str) {
    let lacks = lacks(member, evidence);
    assert!(lacks.iter().any(|lack| lack.contains(expected)), "{expected} is not in {lacks:#?}");
    assert!(lacks.iter().all(|lack| lack.starts_with("gifts: ")), "{lacks:#?}");
}

/// Shipping's description under the name of the service that does not exist.
fn described_as_shipping() -> Evidence {
    let mut description = (crate::members::code_of("shipping").unwrap().describe)();
    description.service = "gifts";
    let descriptions = BTreeMap::from([("gifts".to_owned(), description)]);
    Evidence { descriptions, ..Evidence::default() }
}

#[test]
fn a_service_that_is_on_the_roster_and_nowhere_else_lacks_everything_by_name() {
    let evidence = Evidence::default();
    for expected in [
        "is not described: e2e/src/members.rs does not have its code",
        "is not audited: flotilla audit does not read gifts.events",
        "is not audited: no migration of its has a view audit.published with gifts.events",
        "is not simulated: docs/transitions.md does not have its rules",
        "is not simulated: it has no record that a run could publish",
        "is not measured: nobody says which metrics it has",
        "is not kept apart: deny.toml does not say who may depend on it",
    ] {
        finds(&evidence, &GIFTS, expected);
    }
}

#[test]
fn a_roster_that_says_something_else_than_the_code_is_found() {
    let evidence = described_as_shipping();
    for expected in [
        r#"owns {"gifts.events"} on the roster, {"shipping.events"} by its code"#,
        r#"calls {"printer"} on the roster, {"carrier"} by its code"#,
        r#"finds its neighbours by {"FLOTILLA_PRINTER"} on the roster, {"FLOTILLA_CARRIER"} by"#,
        "owns gifts.events, no topic of crates/events",
        "has no part in docs/openapi.json: e2e/src/members.rs names no document",
    ] {
        finds(&evidence, &GIFTS, expected);
    }
    finds(&evidence, &Member { hears: &[], ..GIFTS }, r#"hears {} on the roster, {"order.ev"#);
}

#[test]
fn a_record_that_no_run_of_the_simulation_publishes_is_found() {
    let member = Member { owns: &["shipping.events"], ..GIFTS };
    let simulated_records = ["ShipmentDispatched", "ShipmentRefused"].map(str::to_owned).into();
    let evidence = Evidence { simulated_records, ..described_as_shipping() };
    finds(&evidence, &member, "is not simulated: no run ever publishes ShipmentCancelled");
}

#[test]
fn a_service_on_request_stands_outside_the_saga_and_is_audited_and_measured_all_the_same() {
    let member = Member { starts: Starts::OnRequest, ..GIFTS };
    let lacks = lacks(&member, &Evidence::default());
    let has = |word: &str| lacks.iter().any(|lack| lack.contains(word));
    assert!(!has("simulated") && has("audited") && has("measured"), "{lacks:#?}");
}

#[test]
fn a_metric_that_is_not_declared_or_not_on_the_page_is_found() {
    let mut evidence = described_as_shipping();
    let in_source = ["flotilla_points", "flotilla_point_age"].map(str::to_owned).into();
    evidence.metrics_in_source.insert("gifts".to_owned(), in_source);
    finds(&evidence, &GIFTS, "measures flotilla_points without declaring it");
    let metrics = &mut evidence.descriptions.get_mut("gifts").unwrap().metrics;
    metrics.push(chassis::Metric::counter("flotilla_points", "Points"));
    metrics.push(chassis::Metric::duration("flotilla_point_age", "Their age"));
    finds(&evidence, &GIFTS, "docs/metrics.md does not have flotilla_points_total");
    finds(&evidence, &GIFTS, "docs/metrics.md does not have flotilla_point_age_seconds");
    let declared = lacks(&GIFTS, &evidence);
    assert!(!declared.iter().any(|lack| lack.contains("without declaring")), "{declared:#?}");
}
