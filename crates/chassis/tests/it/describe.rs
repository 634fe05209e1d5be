//! What a service's program says of itself, without a server and without a setting.

use std::process::Command;

use serde_json::Value;

use crate::world::example;

fn says(arguments: &[&str]) -> String {
    let output = Command::new(example()).env_clear().args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_service_describes_itself_as_one_json_document() {
    let document: Value = serde_json::from_str(&says(&["describe", "--json"])).unwrap();
    assert_eq!(document["service"], "tally");
    let heard = &document["hears"][0];
    assert_eq!(heard["never_dead_lettered"][0], "AdditionReversed");
    assert_eq!(heard["deduplication"], "inbox");
    assert_eq!(document["dead_letters"], "tally.dead-letters");
    let common = &document["of_every_service"];
    let named = |list: &str, name: &str| -> Value {
        let all = common[list].as_array().unwrap();
        all.iter().find(|one| one["name"] == name).unwrap_or(&Value::Null).clone()
    };
    let database = named("settings", "FLOTILLA_DATABASE_URL");
    assert_eq!((&database["required"], &database["secret"]), (&true.into(), &true.into()));
    assert_eq!(named("settings", "FLOTILLA_ADMIN_ADDRESS")["default"], "127.0.0.1:9090");
    assert_eq!(named("migration_settings", "FLOTILLA_APP_ROLE")["required"], false);
    assert_eq!(named("metrics", "flotilla_outbox_age_seconds")["kind"], "gauge");
    assert_eq!(named("metrics", "flotilla_batch_retries_total")["kind"], "counter");
}

#[test]
fn a_service_describes_itself_to_people() {
    let text = says(&["describe"]);
    for line in [
        "never sets aside AdditionReversed",
        "sets aside on tally.dead-letters",
        "FLOTILLA_KAFKA_BROKERS",
        "(default 127.0.0.1:9090)",
        "flotilla_outbox_age_seconds",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
}
