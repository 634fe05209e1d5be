//! The rules that every schema keeps, and that topics and schemas name the same records.

use std::collections::BTreeSet;

use apache_avro::Schema;
use events::{RecordInfo, TOPICS};
use serde_json::Value;

use crate::schemas;

/// Words that would name data about a person. Events outlive every erasure request, so they carry
/// ids and tokens instead.
const PERSONAL: &[&str] = &[
    "name", "surname", "address", "street", "city", "postcode", "zip", "email", "mail", "phone",
    "mobile", "birth", "birthday", "card", "pan", "cvv", "iban", "ip",
];

/// Fields that hold such a word and mean no person: a product has a name too.
const IMPERSONAL: &[(&str, &str)] = &[("StockItemChanged", "name")];

/// One record or enum of a schema, with everything nested in it.
fn named_types<'a>(schema: &'a Value, found: &mut Vec<&'a Value>) {
    match schema["type"].as_str() {
        Some("record") => {
            found.push(schema);
            for field in schema["fields"].as_array().unwrap() {
                named_types(&field["type"], found);
            }
        }
        Some("enum") => found.push(schema),
        Some("array") => named_types(&schema["items"], found),
        Some(_) | None => {}
    }
}

/// Runs a check on every record and enum, with the text that says where it stands.
fn for_each_named_type(mut check: impl FnMut(&Value, &str)) {
    for file in schemas::all() {
        let schema: Value = serde_json::from_str(&file.text).unwrap();
        let mut found = Vec::new();
        named_types(&schema, &mut found);
        for named in found {
            check(named, &format!("{}/{}: {}", file.owner, file.name, named["name"]));
        }
    }
}

fn records() -> impl Iterator<Item = &'static RecordInfo> {
    TOPICS.iter().flat_map(|topic| topic.records)
}

/// The audit tells by it whether two copies of an event differ in more than their time.
#[test]
fn every_event_ends_with_the_time_when_it_happened() {
    for record in records() {
        let schema: Value = serde_json::from_str(record.schema).unwrap();
        let last = schema["fields"].as_array().unwrap().last().unwrap();
        assert_eq!(last["name"], "occurred_at", "{}", record.full_name);
        assert_eq!(last["type"]["logicalType"], "timestamp-micros", "{}", record.full_name);
    }
}

#[test]
fn topics_carry_exactly_the_records_that_have_a_schema() {
    let on_topics: Vec<_> = records().map(|record| (record.full_name, record.schema)).collect();
    let full_name =
        |file: &schemas::SchemaFile| format!("flotilla.{}.v1.{}", file.owner, file.name);
    for file in schemas::all() {
        let published: Vec<_> =
            on_topics.iter().filter(|(name, _)| *name == full_name(&file)).collect();
        assert_eq!(published.len(), 1, "{} is on {} topics", full_name(&file), published.len());
        assert_eq!(published[0].1, file.text);
    }
    assert_eq!(on_topics.len(), schemas::all().len());
}

#[test]
fn a_record_is_named_after_its_folder_and_file() {
    for file in schemas::all() {
        let schema = Schema::parse_str(&file.text).unwrap();
        let name = schema.name().unwrap();
        assert_eq!(name.name(), file.name);
        assert_eq!(name.namespace(), Some(format!("flotilla.{}.v1", file.owner).as_str()));
    }
    for record in records() {
        assert_eq!(record.full_name.rsplit('.').next(), Some(record.name));
    }
}

#[test]
fn only_the_catalogue_is_compacted() {
    // On any other topic compaction would erase facts: every event of an order has the same key.
    let compacted: Vec<_> = TOPICS.iter().filter(|topic| topic.compacted).collect();
    assert_eq!(compacted.len(), 1);
    assert_eq!(compacted[0].name, "inventory.catalogue");
}

#[test]
fn names_are_unique_across_the_fleet() {
    // The generated types share one Rust module, and people say "OrderLine" without a namespace.
    let mut names = BTreeSet::new();
    for_each_named_type(|named, place| {
        assert!(names.insert(named["name"].as_str().unwrap().to_owned()), "{place} is taken");
    });
    assert!(names.len() > schemas::all().len());
}

#[test]
fn everything_is_documented() {
    let mut fields = 0;
    for_each_named_type(|named, place| {
        assert!(named["doc"].as_str().is_some_and(|doc| doc.len() > 10), "{place} has no doc");
        for field in named["fields"].as_array().unwrap_or(&Vec::new()) {
            let doc = field["doc"].as_str().unwrap_or_default();
            assert!(doc.len() > 10, "{place}.{} has no doc", field["name"]);
            fields += 1;
        }
    });
    assert!(fields > 0);
}

#[test]
fn every_enum_falls_back_to_unknown() {
    let mut enums = 0;
    for_each_named_type(|named, place| {
        if named["type"] == "enum" {
            assert_eq!(named["default"], "UNKNOWN", "{place}");
            assert_eq!(named["symbols"][0], "UNKNOWN", "{place}");
            enums += 1;
        }
    });
    assert!(enums > 0);
}

#[test]
fn every_record_says_last_when_it_happened() {
    for file in schemas::all() {
        let schema: Value = serde_json::from_str(&file.text).unwrap();
        let last = schema["fields"].as_array().unwrap().last().unwrap();
        assert_eq!(last["name"], "occurred_at", "{}", file.name);
        assert_eq!(last["type"]["logicalType"], "timestamp-micros", "{}", file.name);
    }
}

#[test]
fn amounts_are_whole_minor_units_beside_their_currency() {
    for file in schemas::all() {
        assert!(!file.text.contains("\"double\"") && !file.text.contains("\"float\""));
        if file.text.contains("_minor\"") {
            assert!(file.text.contains("\"currency\""), "{} has no currency", file.name);
        }
    }
}

#[test]
fn no_field_is_about_a_person() {
    for_each_named_type(|named, place| {
        for field in named["fields"].as_array().unwrap_or(&Vec::new()) {
            let name = field["name"].as_str().unwrap();
            let personal = name.split('_').any(|word| PERSONAL.contains(&word));
            let allowed = IMPERSONAL.contains(&(named["name"].as_str().unwrap(), name));
            assert!(!personal || allowed, "{place}.{name} sounds like data about a person");
        }
    });
}
