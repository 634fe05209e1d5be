//! The chart's values: a key that is not there is refused wherever it stands, and one that is there does something.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use crate::tools::{CHART, objects, render, text};

/// Values with which a changed one shows: nearly everything is switched on in the first two, and a switch can be seen
/// to switch something on in the last.
const BASES: [&str; 3] = ["prod", "everything", "outside"];

/// Maps whose keys are for whoever installs the chart to choose: names of services, neighbours, topics, resources,
/// labels.
const OPEN: [&str; 6] = ["services", "neighbours", "writes", "requests", "limits", "labels"];

/// Closed maps that are empty, or not there, by default.
const CLOSED: [&[&str]; 4] = [
    &["settings"],
    &["services", "order", "settings"],
    &["services", "order", "database"],
    &["services", "order", "secretFiles"],
];

/// How many renderings are made at once: there is one process of Helm for each.
const AT_ONCE: usize = 4;

fn values() -> Value {
    objects(&text(&format!("{CHART}/values.yaml"))).remove(0)
}

fn file(name: &str, values: &Value) -> PathBuf {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&file, values.to_string()).unwrap();
    file
}

/// A map with one value, that many maps deep.
fn nested(path: &[&str], value: Value) -> Value {
    path.iter().rev().fold(value, |value, key| json!({ *key: value }))
}

/// The maps that may hold only what is documented, each by its path.
fn closed<'a>(map: &'a Map<String, Value>, path: &[&'a str], found: &mut Vec<Vec<&'a str>>) {
    if !path.last().is_some_and(|key| OPEN.contains(key)) {
        found.push(path.to_vec());
    }
    for (key, value) in map {
        match value.as_object() {
            // What is Kubernetes' own the API server knows; a service's map of topics holds settings of each.
            Some(below) if !below.is_empty() => closed(below, &[path, &[key]].concat(), found),
            _ => {}
        }
    }
}

#[test]
fn a_key_that_is_not_there_is_refused_at_every_level() {
    let values = values();
    let mut places = Vec::new();
    closed(values.as_object().unwrap(), &[], &mut places);
    places.extend(CLOSED.iter().map(|path| path.to_vec()));
    assert!(places.len() > 40, "{places:?}");
    let mut wrong = json!({});
    for place in &places {
        merge(&mut wrong, nested(&[place, &["typo"][..]].concat(), json!("x")));
    }
    let file = file("typos.json", &wrong).display().to_string();
    for helm in crate::tools::HELMS {
        let said = render(helm, "outside", &["--values", &file]).unwrap_err();
        for place in &places {
            let at = place.iter().fold(String::new(), |path, key| format!("{path}/{key}"));
            let refused = format!("at '{at}': additional properties 'typo' not allowed");
            assert!(said.contains(&refused), "{helm}: {refused}:\n{said}");
        }
    }
}

fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key).or_insert(json!({})), value);
            }
        }
        (into, from) => *into = from,
    }
}

/// Something else than this value: what the file of changed values says, or what is different for sure.
fn changed(value: &Value, said: Option<&Value>) -> Option<Value> {
    if let Some(said) = said {
        assert_ne!(value, said);
        return Some(said.clone());
    }
    match value {
        Value::Bool(is_on) => Some((!is_on).into()),
        Value::Number(number) => Some((number.as_i64()? + 1).into()),
        Value::String(_) => Some("changed".into()),
        _ => None,
    }
}

/// Every documented value by its path, with another one.
fn changes<'a>(
    map: &'a Map<String, Value>,
    said: Option<&Value>,
    path: &[&'a str],
    found: &mut Vec<(Vec<&'a str>, Value)>,
) {
    for (key, value) in map {
        let path = [path, &[key]].concat();
        let said = said.and_then(|said| said.get(key));
        match value.as_object() {
            Some(below) if !below.is_empty() => changes(below, said, &path, found),
            _ => {
                let other = changed(value, said);
                let other = other.unwrap_or_else(|| panic!("changed-values.yaml lacks {path:?}"));
                found.push((path, other));
            }
        }
    }
}

#[test]
fn every_value_that_is_documented_changes_what_is_rendered() {
    let values = values();
    let said = objects(&text("e2e/platform/changed-values.yaml")).remove(0);
    let mut all = Vec::new();
    changes(values.as_object().unwrap(), Some(&said), &[], &mut all);
    assert!(all.len() > 100, "{}", all.len());
    let before = BASES.map(|base| render("bin/helm", base, &[]).unwrap());
    let share = all.len().div_ceil(AT_ONCE);
    let idle: Vec<String> = std::thread::scope(|scope| {
        let parts: Vec<_> = all.chunks(share).collect();
        let parts = parts.into_iter().map(|part| scope.spawn(|| idle_of(part, &before)));
        let parts: Vec<_> = parts.collect();
        parts.into_iter().flat_map(|part| part.join().unwrap()).collect()
    });
    assert!(idle.is_empty(), "these change nothing: {idle:?}");
}

fn idle_of(changes: &[(Vec<&str>, Value)], before: &[String; 3]) -> Vec<String> {
    let does_nothing = |(path, other): &&(Vec<&str>, Value)| {
        let name = path.join(".");
        let file = file(&format!("changed-{name}.json"), &nested(path, other.clone()));
        let file = file.display().to_string();
        let same = |(base, before): (&str, &String)| {
            match render("bin/helm", base, &["--values", &file]) {
                Ok(after) => after == *before,
                // A complaint about this very value shows that it is looked at.
                Err(said) => {
                    assert!(said.contains(&format!("{name}:")), "{name}: {said}");
                    false
                }
            }
        };
        BASES.into_iter().zip(before).all(same)
    };
    changes.iter().filter(does_nothing).map(|(path, _)| path.join(".")).collect()
}

/// What Helm's own ways of laying one map over another lose.
#[test]
fn nothing_false_and_nought_of_a_service_win_over_the_defaults() {
    let objects = objects(&render("bin/helm", "everything", &[]).unwrap());
    let of = |name: &str| {
        let named =
            |object: &&Value| object["kind"] == "Deployment" && object["metadata"]["name"] == name;
        objects.iter().find(named).unwrap()["spec"].clone()
    };
    assert_eq!(of("shop-shipping")["replicas"], 0);
    let payment = &of("shop-payment")["template"];
    assert!(payment["metadata"]["annotations"].get("note").is_none(), "{payment}");
    let container = &payment["spec"]["containers"][0];
    assert!(container.get("lifecycle").is_none(), "{container}");
    assert!(!container["env"].to_string().contains("\"TZ\""), "{container}");
    let order = &of("shop-order")["template"];
    assert_eq!(order["metadata"]["annotations"]["note"], "here");
    assert!(order["spec"]["containers"][0]["env"].to_string().contains("\"TZ\""), "{order}");
}
