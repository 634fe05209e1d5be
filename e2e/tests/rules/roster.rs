//! The roster and everything that must agree with it.

use std::path::Path;

use e2e::coverage::{Evidence, lacks};
use e2e::members;
use events::TOPICS;
use roster::{FOREIGN_TOPICS, ROSTER, SERVICES, owner_of};

use crate::documents::is_current;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

#[test]
fn every_service_on_the_roster_is_described_audited_simulated_measured_and_kept_apart() {
    let evidence = Evidence::collect(root(), ROSTER).unwrap();
    let lacks: Vec<String> = ROSTER.iter().flat_map(|member| lacks(member, &evidence)).collect();
    assert!(lacks.is_empty(), "\n{}", lacks.join("\n"));
}

#[test]
fn every_topic_of_the_language_has_one_writer_on_the_roster() {
    for topic in TOPICS {
        let foreign = FOREIGN_TOPICS.iter().any(|(name, _)| *name == topic.name);
        assert!(owner_of(topic.name).is_some() != foreign, "who writes to {}?", topic.name);
    }
}

#[test]
fn the_description_of_the_fleet_is_what_its_services_say() {
    is_current("fleet.json", &members::document());
}

/// The script cannot ask the roster: it runs before anything is built.
#[test]
fn the_script_builds_the_services_that_every_fleet_has() {
    let script = std::fs::read_to_string(root().join("x")).unwrap();
    let programs = format!("programs=(flotilla {} sandbox)", SERVICES.join(" "));
    assert!(script.contains(&programs), "x does not say {programs}");
}
