//! The chart's services, topics, rights and settings are those of the fleet: of the roster, and of what the programs say
//! they read.

use std::collections::{BTreeMap, BTreeSet};

use chassis::topics::plan;
use roster::{FOREIGN_TOPICS, ROSTER, SERVICES};
use serde_json::Value;

use crate::tools::{CHART, list, name_of, objects, rendered, root, text, texts};

type Names<'a> = BTreeSet<&'a str>;

fn values() -> Value {
    objects(&text(&format!("{CHART}/values.yaml"))).remove(0)
}

fn keys(map: &Value) -> Names<'_> {
    map.as_object().into_iter().flatten().map(|(key, _)| key.as_str()).collect()
}

#[test]
fn the_services_are_those_of_the_roster_with_their_topics_and_neighbours() {
    let values = values();
    assert_eq!(keys(&values["services"]), Names::from(SERVICES));
    for member in ROSTER.iter().filter(|member| SERVICES.contains(&member.name)) {
        let entry = &values["services"][member.name];
        assert_eq!(
            keys(&entry["writes"]),
            member.owns.iter().copied().collect(),
            "{}",
            member.name
        );
        assert_eq!(
            texts(&entry["hears"]).collect::<Names>(),
            member.hears.iter().copied().collect()
        );
        assert_eq!(keys(&entry["neighbours"]), member.neighbours.iter().map(|n| n.name).collect());
        for neighbour in member.neighbours {
            let setting = &entry["neighbours"][neighbour.name]["setting"];
            assert_eq!(setting, neighbour.setting, "{}", neighbour.name);
        }
        let asked = member.neighbours.iter().map(|neighbour| neighbour.setting);
        assert_eq!(keys(&entry["settings"]), asked.collect::<Names>(), "{}", member.name);
    }
    let foreign: Names<'_> = FOREIGN_TOPICS.iter().map(|(topic, _)| *topic).collect();
    assert_eq!(texts(&values["foreignTopics"]).collect::<Names>(), foreign);
}

/// What the values file `prod` renders.
fn prod() -> &'static [Value] {
    &rendered().iter().find(|(origin, _)| origin.ends_with("with prod")).unwrap().1
}

fn of_kind(kind: &str) -> BTreeMap<String, &'static Value> {
    let found = prod().iter().filter(|object| object["kind"] == kind);
    found.map(|object| (name_of(object).split_once('/').unwrap().1.to_owned(), object)).collect()
}

#[test]
fn strimzi_makes_the_topics_that_the_command_line_would_make() {
    let language = flotilla::fleet::language(&SERVICES, &root()).unwrap();
    let topics = of_kind("KafkaTopic");
    let plan = plan(&language, 3, &SERVICES);
    assert_eq!(topics.len(), plan.len(), "{topics:?}");
    for topic in plan {
        let spec = &topics[&topic.name]["spec"];
        assert_eq!(spec["partitions"], topic.partitions, "{}", topic.name);
        // What the command line makes sure of besides: two copies of whatever is acknowledged.
        let config = topic.settings.iter().chain([&("min.insync.replicas", "2")]);
        let config: serde_json::Map<_, _> =
            config.map(|(key, value)| ((*key).to_owned(), Value::from(*value))).collect();
        assert_eq!(spec["config"], Value::Object(config), "{}", topic.name);
    }
}

/// `operation kind name` for everything that a user may do.
fn rights(user: &Value) -> BTreeSet<String> {
    let mut rights = BTreeSet::new();
    for rule in list(&user["spec"]["authorization"]["acls"]) {
        assert_eq!(rule["resource"]["patternType"], "literal", "{rule}");
        let what = |key: &str| rule["resource"][key].as_str().unwrap().to_owned();
        let of = format!("{} {}", what("type"), what("name"));
        rights.extend(texts(&rule["operations"]).map(|operation| format!("{operation} {of}")));
    }
    rights
}

#[test]
fn a_user_may_write_what_its_service_owns_and_read_what_it_hears_and_nothing_else() {
    let users = of_kind("KafkaUser");
    assert_eq!(users.len(), SERVICES.len());
    for member in ROSTER.iter().filter(|member| SERVICES.contains(&member.name)) {
        let dead = format!("{}.dead-letters", member.name);
        let owned = member.owns.iter().copied().chain([dead.as_str()]);
        let may = |operation: &str, kind: &str, name: &str| {
            [format!("{operation} {kind} {name}"), format!("Describe {kind} {name}")]
        };
        let expected = owned.flat_map(|topic| may("Write", "topic", topic));
        let expected =
            expected.chain(member.hears.iter().flat_map(|topic| may("Read", "topic", topic)));
        let expected: BTreeSet<_> = expected.chain(may("Read", "group", member.name)).collect();
        assert_eq!(rights(users[&format!("flotilla-{}", member.name)]), expected);
    }
}

#[test]
fn replicas_follow_the_lag_of_every_topic_that_a_service_hears() {
    let scaled = of_kind("ScaledObject");
    assert!(!scaled.is_empty());
    for (name, object) in scaled {
        let member = roster::find(name.strip_prefix("flotilla-").unwrap()).unwrap();
        let triggers: Vec<_> = list(&object["spec"]["triggers"]).map(|t| &t["metadata"]).collect();
        assert!(triggers.iter().all(|trigger| trigger["consumerGroup"] == member.name), "{name}");
        let topics: Names<'_> =
            triggers.iter().filter_map(|trigger| trigger["topic"].as_str()).collect();
        assert_eq!(topics, member.hears.iter().copied().collect(), "{name}");
    }
}

#[test]
fn a_fifth_service_is_an_entry_of_the_values_and_one_of_the_four_can_be_left_out() {
    let (_, fifth) = rendered().iter().find(|(origin, _)| origin.ends_with("with fifth")).unwrap();
    let names: Vec<_> = fifth.iter().map(name_of).collect();
    for kind in ["Deployment", "Service", "ServiceAccount", "PodDisruptionBudget"] {
        assert!(names.contains(&format!("{kind}/flotilla-loyalty")), "{kind}");
        assert!(!names.contains(&format!("{kind}/flotilla-shipping")), "{kind}");
    }
    assert!(names.contains(&"NetworkPolicy/flotilla-loyalty-database".to_owned()));
}

/// A group of settings in docs/fleet.json: those that a values file may hold, and those that hold secrets.
fn settings(group: &Value) -> Vec<(&str, bool)> {
    let secret = |setting: &Value| setting["secret"] == true;
    list(group).map(|setting| (setting["name"].as_str().unwrap(), secret(setting))).collect()
}

/// Settings that have a value of their own, or that follow from what a pod is.
const OF_THE_CHART: [&str; 7] = [
    "FLOTILLA_DATABASE_URL_FILE",
    "FLOTILLA_KAFKA_BROKERS",
    "FLOTILLA_REGISTRY_URL",
    "FLOTILLA_HTTP_ADDRESS",
    "FLOTILLA_ADMIN_ADDRESS",
    "FLOTILLA_OTLP_ENDPOINT",
    "FLOTILLA_INSTANCE",
];

#[test]
fn every_setting_of_the_programs_can_be_said_in_the_values_and_no_other() {
    let fleet: Value = serde_json::from_str(&text("docs/fleet.json")).unwrap();
    let schema: Value =
        serde_json::from_str(&text(&format!("{CHART}/values.schema.json"))).unwrap();
    let every = settings(&fleet["of_every_service"]["settings"]);
    let own = list(&fleet["services"]).flat_map(|service| settings(&service["settings"]));
    let free = |(name, secret): &(&str, bool)| !secret && !OF_THE_CHART.contains(name);
    let own = own.filter(free).map(|(name, _)| name).filter(|name| !name.ends_with("_FILE"));
    let every: Names<'_> = every.into_iter().filter(free).map(|(name, _)| name).collect();
    assert_eq!(keys(&schema["properties"]["settings"]["properties"]), every);
    let of_a_service: Names<'_> = every.iter().copied().chain(own).collect();
    assert_eq!(keys(&schema["$defs"]["settings"]["properties"]), of_a_service);
    let services = &schema["properties"]["services"]["properties"];
    for service in list(&fleet["services"]) {
        let name = service["service"].as_str().unwrap();
        let files = settings(&service["settings"]).into_iter().map(|(name, _)| name);
        let files = files.filter(|name| name.ends_with("_FILE"));
        let may = &services[name]["allOf"][1]["properties"]["secretFiles"]["properties"];
        assert_eq!(keys(may), files.collect(), "{name}");
    }
}

/// The variables that somebody in the fleet reads.
fn known() -> BTreeSet<String> {
    let fleet: Value = serde_json::from_str(&text("docs/fleet.json")).unwrap();
    let every = &fleet["of_every_service"];
    let groups = list(&fleet["services"]).map(|service| &service["settings"]);
    let groups = groups.chain([&every["settings"], &every["migration_settings"]]);
    let settings = groups.flat_map(settings).map(|(name, _)| name.to_owned());
    settings.collect()
}

#[test]
fn whatever_a_pod_is_told_is_a_setting_that_somebody_reads() {
    let known = known();
    let mut told = 0;
    for (origin, objects) in rendered() {
        let document = serde_json::to_string(objects).unwrap();
        for name in document.split('"').filter(|word| word.starts_with("FLOTILLA_")) {
            assert!(known.contains(name), "{origin}: nobody reads {name}");
            told += 1;
        }
    }
    assert!(told > 100, "{told}");
}
