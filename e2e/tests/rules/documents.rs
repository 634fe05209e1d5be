//! The OpenAPI documents in `docs` are current, and complete in themselves.

use std::path::Path;

use e2e::documents::all;
use serde_json::Value;

#[test]
fn the_documents_are_what_the_code_describes() {
    for (name, current) in all() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(name);
        let found = std::fs::read_to_string(&file).unwrap_or_default();
        if found == current {
            continue;
        }
        if std::env::var_os("UPDATE_GENERATED").is_some() {
            std::fs::write(&file, current).unwrap();
            continue;
        }
        panic!("docs/{name} is stale: UPDATE_GENERATED=1 cargo test -p e2e --test rules");
    }
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

fn collect<'a>(value: &'a Value, references: &mut Vec<&'a str>) {
    references.extend(value.get("$ref").and_then(Value::as_str));
    let inside = value.as_object().into_iter().flat_map(|object| object.values());
    inside.chain(value.as_array().into_iter().flatten()).for_each(|v| collect(v, references));
}
