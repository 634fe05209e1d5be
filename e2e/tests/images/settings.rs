//! What docker-compose.kafka.yml sets, against what the programs read: Compose itself resolves the file, the programs
//! say what they know.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use e2e::members::code_of;
use serde_json::{Map, Value};

use crate::engine::{Run, root, tools};

/// The file as Compose reads it, without an engine.
fn resolved() -> Map<String, Value> {
    let compose = tools().join("docker-config/cli-plugins/docker-compose");
    let all = ["--profile", "tools", "--profile", "observe", "config", "--format", "json"];
    let mut config = Command::new(compose);
    config.args(["-f", "docker-compose.kafka.yml"]).args(all).current_dir(root());
    let file: Value = serde_json::from_str(&config.passes()).unwrap();
    file["services"].as_object().unwrap().clone()
}

/// The program of an image of ours.
fn program(service: &Value) -> Option<&str> {
    service["image"].as_str().unwrap().strip_prefix("flotilla/")?.split(':').next()
}

fn variables(service: &Value) -> BTreeSet<String> {
    service["environment"].as_object().into_iter().flat_map(Map::keys).cloned().collect()
}

#[test]
fn every_setting_of_a_service_is_one_that_it_reads_and_none_is_missing() {
    let every = chassis::of_every_service();
    let mut seen = BTreeSet::new();
    for (name, service) in &resolved() {
        let Some(code) = program(service).and_then(code_of) else { continue };
        let migrates = service["command"][0] == "migrate";
        let own = (code.describe)().settings;
        let known: Vec<_> = match migrates {
            true => every.migration_settings.iter().collect(),
            false => every.settings.iter().chain(&own).collect(),
        };
        let names: BTreeSet<String> = known.iter().map(|setting| setting.name.clone()).collect();
        let set = variables(service);
        let unknown: Vec<&String> = set.difference(&names).collect();
        assert!(unknown.is_empty(), "{name} sets {unknown:?}, which the program does not read");
        for required in known.iter().filter(|setting| setting.required) {
            assert!(set.contains(&required.name), "{name} does not set {}", required.name);
        }
        seen.insert((code.name, migrates));
    }
    assert_eq!(seen.len(), 2 * roster::SERVICES.len(), "each service runs, and is migrated");
}

#[test]
fn a_service_calls_somebody_outside_where_the_roster_says_that_it_does() {
    let services = resolved();
    for member in roster::ROSTER.iter().filter(|member| services.contains_key(member.name)) {
        for neighbour in member.neighbours {
            assert!(
                variables(&services[member.name]).contains(neighbour.setting),
                "{}",
                member.name
            );
        }
    }
}

#[test]
fn every_container_of_ours_is_restricted_and_every_container_is_bounded() {
    for (name, service) in &resolved() {
        let image = service["image"].as_str().unwrap();
        assert!(!image.ends_with(":latest") && image.contains(':'), "{name} runs {image}");
        assert!(
            service["deploy"]["resources"]["limits"]["memory"].is_string(),
            "{name} may take all memory"
        );
        assert!(
            service["logging"]["options"]["max-size"].is_string(),
            "{name} may fill the disk with its log"
        );
        for port in service["ports"].as_array().into_iter().flatten() {
            assert_eq!(port["host_ip"], "127.0.0.1", "{name} is open to the network");
        }
        if program(service).is_some() {
            assert_eq!(service["read_only"], true, "{name}");
            assert_eq!(service["cap_drop"][0], "ALL", "{name}");
            assert_eq!(service["security_opt"][0], "no-new-privileges:true", "{name}");
        }
    }
}

#[test]
fn a_variable_of_the_file_has_a_value_in_the_one_place_for_them_or_a_default() {
    let file = std::fs::read_to_string(root().join("docker-compose.kafka.yml")).unwrap();
    let values = std::fs::read_to_string(Path::new(&root()).join(".env")).unwrap();
    let given: BTreeSet<&str> =
        values.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name).collect();
    let used: BTreeSet<&str> =
        file.split("${").skip(1).filter_map(|rest| rest.split('}').next()).collect();
    let (open, plain): (Vec<&str>, Vec<&str>) =
        used.into_iter().partition(|used| used.contains(":-"));
    assert!(open.iter().all(|used| used.starts_with("FLOTILLA_")), "{open:?}");
    assert_eq!(plain.into_iter().collect::<BTreeSet<_>>(), given);
}
