//! What others rely on: the AsyncAPI document and the catalogue of events are current and complete, the recorded sagas
//! are of today's schemas, and every promise of the guides names a test that there is.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use e2e::contract::asyncapi::{HEADERS, REQUIRED};
use e2e::contract::{UNSAID, asyncapi, catalogue, events, fingerprinted, root};
use flotilla::sagas::{Manifest, Saga};

use crate::documents::is_current;

/// The guides that promise something.
const GUIDES: [&str; 3] = ["guide-consumers.md", "guide-producers.md", "evolution.md"];
/// The end of the first line of a table of promises.
const HELD_BY: &str = " | held by |";

#[test]
fn the_asyncapi_document_is_what_the_fleet_says() {
    is_current("asyncapi.json", &asyncapi::document());
}

#[test]
fn the_catalogue_is_what_schemas_and_services_say_and_has_no_other_page() {
    let pages: BTreeMap<String, String> = catalogue::pages().into_iter().collect();
    for (name, page) in &pages {
        is_current(name, page);
    }
    for entry in fs::read_dir(root().join("docs/events")).unwrap() {
        let name = format!("events/{}", entry.unwrap().file_name().to_str().unwrap());
        assert!(pages.contains_key(&name), "docs/{name} is about no event: take it away");
    }
}

#[test]
fn every_event_has_a_key_and_whoever_hears_it_says_what_it_does() {
    for event in events() {
        let name = event.record.name;
        assert!(!event.key().is_empty(), "{name}: no field is the key");
        let of_every_fleet = event.consumers.iter().filter(|consumer| !consumer.is_on_request);
        for consumer in of_every_fleet {
            let says = consumer.does.is_none_or(|does| does != UNSAID && does.ends_with('.'));
            let service = consumer.service;
            assert!(
                says,
                "{service} hears {name}: say in its Hears::ASKS what it does, in a sentence"
            );
        }
    }
}

#[test]
fn the_recorded_sagas_are_of_todays_schemas_and_have_every_event() {
    let folder = root().join("fixtures/sagas");
    let manifest = Manifest::read(&folder).unwrap();
    let found: BTreeMap<&str, _> =
        manifest.schemas.values().map(|schema| (schema.record.as_str(), schema)).collect();
    let mut recorded = BTreeSet::new();
    for name in manifest.sagas.keys() {
        let saga = Saga::read(&folder.join(name)).unwrap();
        for (record, event) in saga.records.iter().zip(saga.events) {
            let written = &manifest.schemas[&record.datum().unwrap().0];
            assert_eq!(written.record, event.r#type, "{name}");
            recorded.insert(event.r#type);
        }
    }
    for event in events() {
        let name = event.record.full_name;
        let is = fingerprinted(&event).unwrap();
        assert_eq!(found.get(name), Some(&&is), "UPDATE_FIXTURES=1 cargo test -p e2e --test sagas");
        assert!(recorded.contains(name), "no recorded saga has a {name}");
    }
}

/// The id is made of what the row of the outbox has, and of nothing that a second publishing would change.
#[test]
fn every_copy_of_a_recorded_event_would_have_the_same_id() {
    let folder = root().join("fixtures/sagas");
    for name in Manifest::read(&folder).unwrap().sagas.keys() {
        let mut seen = BTreeSet::new();
        for event in Saga::read(&folder.join(name)).unwrap().events {
            if let Some(sequence) = &event.sequence {
                assert_eq!(event.id, format!("{}/{sequence}", event.key), "{name}");
            }
            assert!(seen.insert((event.source, event.id)), "{name}: an id is there twice");
        }
    }
}

#[test]
fn every_header_of_a_recorded_event_is_described_and_none_that_is_promised_is_missing() {
    let folder = root().join("fixtures/sagas");
    let known: BTreeSet<&str> = HEADERS.iter().map(|(name, _)| *name).collect();
    for name in Manifest::read(&folder).unwrap().sagas.keys() {
        for record in Saga::read(&folder.join(name)).unwrap().records {
            for header in record.headers.keys() {
                assert!(known.contains(header.as_str()), "{header} of {name} is not described");
            }
            let is_foreign = record.headers["ce_source"] == "warehouse";
            let missing = REQUIRED.iter().find(|name| !record.headers.contains_key(**name));
            assert!(is_foreign || missing.is_none(), "{name}: {missing:?} is missing");
        }
    }
}

/// The last column of a table of promises names the tests that hold them.
#[test]
fn every_promise_of_the_guides_names_tests_that_there_are() {
    let mut sources = String::new();
    for folder in ["crates", "services", "examples", "e2e"] {
        add_sources(&root().join(folder), &mut sources);
    }
    for guide in GUIDES {
        let text = fs::read_to_string(root().join("docs").join(guide)).unwrap();
        let mut promises = 0;
        let tables = text.split(HELD_BY).skip(1).map(|rest| rest.split("\n\n").next().unwrap());
        for row in tables.flat_map(|table| table.lines().skip(2)) {
            let held = row.trim_end_matches(" |").rsplit(" | ").next().unwrap();
            let mut tests = held.split('`').skip(1).step_by(2).peekable();
            assert!(tests.peek().is_some(), "docs/{guide}: no test holds {row}");
            for name in tests {
                let is_there = sources.contains(&format!("fn {name}()"));
                assert!(is_there, "docs/{guide} names {name}, and there is no such test");
            }
            promises += 1;
        }
        assert!(promises > 4, "docs/{guide}: only {promises} promises were found");
    }
}

fn add_sources(folder: &Path, text: &mut String) {
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            add_sources(&entry, text);
        } else if entry.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&fs::read_to_string(&entry).unwrap());
        }
    }
}
