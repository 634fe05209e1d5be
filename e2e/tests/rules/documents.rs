//! The OpenAPI documents in `docs` are current, and complete in themselves.

use std::collections::BTreeSet;
use std::path::Path;

use e2e::documents::all;
use serde_json::Value;

#[test]
fn the_documents_are_what_the_code_describes() {
    for (name, current) in all() {
        is_current(name, &current);
    }
}

/// That a file in `docs` says this. With `UPDATE_GENERATED` it is written instead.
pub(crate) fn is_current(name: &str, current: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(name);
    let found = std::fs::read_to_string(&file).unwrap_or_default();
    if found == current {
        return;
    }
    if std::env::var_os("UPDATE_GENERATED").is_some() {
        return std::fs::write(&file, current).unwrap();
    }
    panic!("docs/{name} is stale: UPDATE_GENERATED=1 cargo test -p e2e --test rules");
}

#[test]
fn every_reference_leads_to_something() {
    for (name, text) in all() {
        let document: Value = serde_json::from_str(&text).unwrap();
        let mut references = Vec::new();
        collect(&document, &mut references);
        assert!(!references.is_empty(), "{name}");
        for reference in references {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{name}: {reference} dangles");
        }
    }
}

#[test]
fn whatever_takes_a_body_says_how_it_refuses_one() {
    for (name, text) in all() {
        let document: Value = serde_json::from_str(&text).unwrap();
        let paths = document["paths"].as_object().unwrap();
        for (path, operations) in paths {
            for (method, operation) in operations.as_object().unwrap() {
                let refusals = operation.get("requestBody").map(|_| ["408", "413", "415", "422"]);
                for status in refusals.into_iter().flatten() {
                    let declared = operation["responses"].get(status).is_some();
                    assert!(declared, "{name}: {status} of {method} {path}");
                }
            }
        }
    }
}

/// A field of an answer is left out where it is absent, or null there; never now this, now that. A client that is
/// generated from a field declared as both has to expect three things.
#[test]
fn no_field_of_an_answer_is_both_left_out_and_null() {
    for (name, text) in all() {
        let document: Value = serde_json::from_str(&text).unwrap();
        let mut references = Vec::new();
        let operations = document["paths"].as_object().unwrap().values();
        for operation in operations.flat_map(|path| path.as_object().unwrap().values()) {
            operation.get("responses").into_iter().for_each(|all| collect(all, &mut references));
        }
        let (mut seen, mut checked) = (BTreeSet::new(), 0);
        while let Some(reference) = references.pop() {
            if !seen.insert(reference) {
                continue;
            }
            let schema = document.pointer(reference.strip_prefix('#').unwrap()).unwrap();
            collect(schema, &mut references);
            let required: Vec<&str> = strings(&schema["required"]).collect();
            for (field, described) in schema["properties"].as_object().into_iter().flatten() {
                let always = required.contains(&field.as_str());
                assert!(always || !is_nullable(described), "{name}: {field} of {reference}");
                checked += 1;
            }
        }
        assert!(checked > 0, "{name}");
    }
}

fn is_nullable(schema: &Value) -> bool {
    let kinds = schema["oneOf"].as_array().into_iter().chain(schema["anyOf"].as_array()).flatten();
    let is_null = |schema: &Value| {
        schema["type"] == "null" || strings(&schema["type"]).any(|kind| kind == "null")
    };
    is_null(schema) || kinds.into_iter().any(is_null)
}

fn strings(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str)
}

fn collect<'a>(value: &'a Value, references: &mut Vec<&'a str>) {
    references.extend(value.get("$ref").and_then(Value::as_str));
    let inside = value.as_object().into_iter().flat_map(|object| object.values());
    inside.chain(value.as_array().into_iter().flatten()).for_each(|v| collect(v, references));
}
