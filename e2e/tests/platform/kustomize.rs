//! An overlay of kustomize builds what the chart renders with the values file of the same name: there are two ways to
//! install the fleet, and one fleet.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::tools::{OVERLAYS, build, list, name_of, objects, render, texts};

/// Labels and annotations that say which tool made an object.
const OF_HELM: [&str; 3] =
    ["app.kubernetes.io/version", "app.kubernetes.io/managed-by", "helm.sh/chart"];

#[test]
fn an_overlay_builds_what_the_chart_renders() {
    for overlay in OVERLAYS {
        let chart = render("bin/helm", overlay, &["--set", "tests.enabled=false"]).unwrap();
        let chart = comparable(objects(&chart));
        let mut built = comparable(objects(&build(overlay)));
        assert!(chart.len() > 25, "{overlay}: {}", chart.len());
        for (name, expected) in chart {
            let found = built.remove(&name).unwrap_or_else(|| panic!("{overlay} has no {name}"));
            if found != expected {
                let pretty = |value| serde_json::to_string_pretty(value).unwrap();
                panic!(
                    "{overlay}, {name}:\n{}\nin the chart:\n{}",
                    pretty(&found),
                    pretty(&expected)
                );
            }
        }
        assert!(built.is_empty(), "{overlay} has what the chart has not: {:?}", built.keys());
    }
}

/// Objects by name, without what differs by the way of installing and not by what is installed.
fn comparable(mut objects: Vec<Value>) -> BTreeMap<String, Value> {
    let settings = settings_of(&objects);
    let mut all = BTreeMap::new();
    for object in &mut objects {
        let metadata = object["metadata"].as_object_mut().unwrap();
        metadata.remove("annotations");
        metadata.remove("namespace");
        let name = without_hash(metadata["name"].as_str().unwrap());
        metadata["name"] = name.into();
        let labels = metadata["labels"].as_object_mut().unwrap();
        OF_HELM.iter().for_each(|label| _ = labels.remove(*label));
        if let Some(spec) = object["spec"].as_object_mut() {
            // The chart's Jobs stay until a version has others, those of kustomize go after a while.
            spec.remove("ttlSecondsAfterFinished");
            if let Some(template) =
                spec.get_mut("template").filter(|t| t["spec"]["containers"].is_array())
            {
                comparable_pods(template, &settings);
            }
        }
        let before = all.insert(name_of(object), object.take());
        assert!(before.is_none(), "twice: {before:?}");
    }
    all
}

/// The chart ends the names of Jobs in a hash, kustomize those of ConfigMaps.
fn without_hash(name: &str) -> String {
    let hashed = ["flotilla-settings", "flotilla-topics", "flotilla-schemas"];
    let plain = hashed.iter().find(|plain| name.starts_with(&format!("{plain}-")));
    plain.map_or(name, |plain| *plain).to_owned()
}

fn settings_of(objects: &[Value]) -> Map<String, Value> {
    let named = |object: &&Value| name_of(object).starts_with("ConfigMap/flotilla-settings");
    objects.iter().find(named).unwrap()["data"].as_object().unwrap().clone()
}

fn comparable_pods(template: &mut Value, settings: &Map<String, Value>) {
    template["metadata"].as_object_mut().unwrap().remove("annotations");
    let spec = template["spec"].as_object_mut().unwrap();
    for kind in ["containers", "initContainers"] {
        for container in spec.get_mut(kind).and_then(Value::as_array_mut).into_iter().flatten() {
            container["env"] = environment(container, settings);
            container.as_object_mut().unwrap().remove("envFrom");
            by_name(&mut container["volumeMounts"]);
        }
    }
    if let Some(volumes) = spec.get_mut("volumes") {
        by_name(volumes);
    }
}

/// What a container's variables come to.
fn environment(container: &Value, settings: &Map<String, Value>) -> Value {
    let mut all = Map::new();
    for source in list(&container["envFrom"]) {
        let name = source["configMapRef"]["name"].as_str().unwrap();
        assert!(name.starts_with("flotilla-settings"), "{name}");
        all.extend(settings.clone());
    }
    for variable in list(&container["env"]) {
        let reference = &variable["valueFrom"]["configMapKeyRef"]["key"];
        let value = match reference.as_str() {
            Some(key) => settings[key].clone(),
            None if variable["value"].is_string() => variable["value"].clone(),
            None => variable["valueFrom"].clone(),
        };
        all.insert(variable["name"].as_str().unwrap().to_owned(), value);
    }
    Value::Object(all)
}

fn by_name(entries: &mut Value) {
    if let Some(entries) = entries.as_array_mut() {
        entries.sort_by_key(|entry| entry["name"].to_string());
    }
}

#[test]
fn settings_of_an_overlay_are_a_new_object_when_they_change() {
    let built = objects(&build("dev"));
    let deployments = built.iter().filter(|object| object["kind"] == "Deployment");
    for deployment in deployments {
        let container = &deployment["spec"]["template"]["spec"]["containers"][0];
        let names = list(&container["envFrom"]).map(|source| &source["configMapRef"]["name"]);
        let names: Vec<_> = texts(&json!(names.collect::<Vec<_>>())).map(str::to_owned).collect();
        assert!(names[0].len() > "flotilla-settings-".len(), "{}: {names:?}", name_of(deployment));
    }
}
