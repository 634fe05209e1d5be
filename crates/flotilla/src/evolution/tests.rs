//! Every kind of change, each judged here and by Avro's own rules.

use apache_avro::Schema;
use apache_avro::schema_compatibility::{Compatibility, SchemaCompatibility};

use super::changes;

/// A schema with a bit of everything.
const BASE: &str = r#"{
  "type": "record", "name": "Shipped", "namespace": "test.v1", "fields": [
    {"name": "id", "type": {"type": "string", "logicalType": "uuid"}},
    {"name": "note", "type": "string", "default": ""},
    {"name": "amount", "type": "int"},
    {"name": "who", "type": ["null", "string"], "default": null},
    {"name": "why", "type": {"type": "enum", "name": "Why", "symbols": ["UNKNOWN", "LATE"], "default": "UNKNOWN"}},
    {"name": "how", "type": {"type": "enum", "name": "How", "symbols": ["AIR", "SEA"]}},
    {"name": "lines", "type": {"type": "array", "items": {"type": "record", "name": "Line", "fields": [
      {"name": "sku", "type": "string"}, {"name": "units", "type": "long"}]}}},
    {"name": "before", "type": ["null", "Why"], "default": null}]}"#;

/// Whether Avro's rules and ours agree.
#[derive(Clone, Copy, PartialEq)]
enum Avro {
    Agrees,
    /// It lets pass what we refuse, as the meaning changes or nothing could change afterwards.
    Allows,
}

/// What is replaced by what, what is said of it, and whether it is allowed.
const TABLE: &[(&str, &str, &str, bool, Avro)] = &[
    (r#""id","#, r#""id","doc":"other words","#, "", true, Avro::Agrees),
    (
        r#"{"name": "amount""#,
        r#"{"name": "mood", "type": "string", "default": "?"}, {"name": "amount""#,
        "mood: added, with a default",
        true,
        Avro::Agrees,
    ),
    (
        r#"{"name": "amount""#,
        r#"{"name": "mood", "type": "string"}, {"name": "amount""#,
        "mood: added, without a default",
        false,
        Avro::Agrees,
    ),
    (
        r#"{"name": "note", "type": "string", "default": ""},"#,
        "",
        "note: removed, with a default",
        false,
        Avro::Allows,
    ),
    (
        r#"{"name": "amount", "type": "int"},"#,
        "",
        "amount: removed, without a default",
        false,
        Avro::Agrees,
    ),
    (
        r#""type": "string", "default": """#,
        r#""type": "string", "default": "none""#,
        "note: has another default",
        true,
        Avro::Agrees,
    ),
    (
        r#""type": "string", "default": """#,
        r#""type": "string""#,
        "note: has no default any more",
        false,
        Avro::Allows,
    ),
    (r#""type": "int""#, r#""type": "long""#, "amount: is long, was int", false, Avro::Agrees),
    (r#""type": "int""#, r#""type": "string""#, "amount: is string, was int", false, Avro::Agrees),
    (
        r#"{"type": "string", "logicalType": "uuid"}"#,
        r#""string""#,
        "id: means string, meant uuid",
        false,
        Avro::Allows,
    ),
    (
        r#"["null", "string"]"#,
        r#"["null", "string", "long"]"#,
        "who: is null or string or long, was null or string",
        false,
        Avro::Agrees,
    ),
    (
        r#""Shipped""#,
        r#""Sent""#,
        "is called test.v1.Sent, was called test.v1.Shipped",
        false,
        Avro::Agrees,
    ),
    (
        r#"["UNKNOWN", "LATE"]"#,
        r#"["UNKNOWN", "LATE", "LOST"]"#,
        "why: has the symbol LOST; before: has the symbol LOST",
        true,
        Avro::Agrees,
    ),
    (
        r#"["UNKNOWN", "LATE"]"#,
        r#"["UNKNOWN"]"#,
        "why: lacks the symbol LATE; before: lacks the symbol LATE",
        false,
        Avro::Allows,
    ),
    (
        r#"["AIR", "SEA"]"#,
        r#"["AIR", "SEA", "RAIL"]"#,
        "how: has the symbol RAIL",
        false,
        Avro::Agrees,
    ),
    (r#"["AIR", "SEA"]"#, r#"["AIR"]"#, "how: lacks the symbol SEA", false, Avro::Agrees),
    (
        r#", "default": "UNKNOWN"}"#,
        "}",
        "why: has no symbol for unknown ones any more; before: has no symbol for unknown ones any more",
        false,
        Avro::Allows,
    ),
    (
        r#"{"name": "units", "type": "long"}"#,
        r#"{"name": "units", "type": "double"}"#,
        "lines[].units: is double, was long",
        false,
        Avro::Agrees,
    ),
    (
        r#"{"name": "sku", "type": "string"}, {"name": "units", "type": "long"}"#,
        r#"{"name": "units", "type": "long"}, {"name": "sku", "type": "string"}"#,
        "lines[]: has its fields in another order",
        true,
        Avro::Agrees,
    ),
];

#[test]
fn every_change_is_named_and_judged_as_avro_does_or_more_strictly() {
    for (from, to, named, is_allowed, avro) in TABLE {
        let changed = BASE.replacen(from, to, 1);
        assert_ne!(changed, BASE, "{from} is not there");
        let found = changes(BASE, &changed).unwrap();
        let names: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(names.join("; "), *named);
        let verdict = found.iter().all(|change| change.what.verdict().is_allowed);
        assert_eq!(verdict, *is_allowed, "{named}");
        let has_advice = found.iter().all(|change| {
            let verdict = change.what.verdict();
            verdict.is_allowed != verdict.instead.is_some()
        });
        assert!(has_advice, "{named}");

        let [older, newer] = [BASE, &changed].map(|text| Schema::parse_str(text).unwrap());
        let full = SchemaCompatibility::mutual_read(&older, &newer) == Ok(Compatibility::Full);
        assert_eq!(full, *is_allowed || *avro == Avro::Allows, "{named}");
    }
}

#[test]
fn a_version_does_not_differ_from_itself_even_where_a_record_holds_itself() {
    assert_eq!(changes(BASE, BASE).unwrap(), []);
    let tree = r#"{"type": "record", "name": "Tree", "fields": [
        {"name": "left", "type": ["null", "Tree"], "default": null}]}"#;
    assert_eq!(changes(tree, tree).unwrap(), []);
    assert!(changes("no JSON", BASE).is_err());
}
