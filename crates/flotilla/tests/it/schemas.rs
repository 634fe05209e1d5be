//! Registering schemas, a step of deployment, against a real registry.

use events::{RecordInfo, TOPICS};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::cli::{flotilla, servers};

/// The registry, as somebody sees it who does not use our client.
struct Bare {
    http: reqwest::Client,
    url: String,
}

impl Bare {
    async fn compatibility(&self, subject: &str) -> Value {
        let answer = self.http.get(format!("{}/config/{subject}", self.url)).send().await.unwrap();
        answer.json::<Value>().await.unwrap()["compatibilityLevel"].clone()
    }

    async fn set_compatibility(&self, subject: &str, level: &str) {
        let request = self.http.put(format!("{}/config/{subject}", self.url));
        let answer = request.json(&json!({ "compatibility": level })).send().await.unwrap();
        assert!(answer.status().is_success(), "{answer:?}");
    }

    async fn post(&self, subject: &str, schema: &str) -> StatusCode {
        let request = self.http.post(format!("{}/subjects/{subject}/versions", self.url));
        request.json(&json!({ "schema": schema })).send().await.unwrap().status()
    }
}

#[tokio::test]
async fn schemas_are_checked_registered_and_guarded_against_breaking_changes() {
    let url = servers().await.registry_url();
    let bare = Bare { http: reqwest::Client::builder().no_proxy().build().unwrap(), url };
    let records: Vec<_> = TOPICS.iter().flat_map(|topic| topic.records).collect();

    let checked = flotilla(&["--json", "schema", "check"]).await;
    assert_eq!((checked.code, checked.list("schemas").len()), (0, records.len()));
    let registered = flotilla(&["--json", "schema", "register"]).await;
    assert_eq!(registered.code, 0, "{}", registered.stderr);
    let listed = flotilla(&["--json", "schema", "list"]).await;
    assert_eq!(listed.list("schemas"), registered.list("schemas"));
    assert!(listed.list("schemas").iter().all(|document| document["id"].is_u64()));
    for record in &records {
        let level = bare.compatibility(&chassis::subject(record)).await;
        assert_eq!(level, "FULL_TRANSITIVE", "{}", record.full_name);
    }

    // A field without a default: those who wrote before could not be read any more.
    let record = records.iter().find(|record| record.name == "OrderConfirmed").unwrap();
    let subject = chassis::subject(record);
    let mut breaking: Value = serde_json::from_str(record.schema).unwrap();
    let field = json!({ "name": "mood", "type": "string" });
    breaking["fields"].as_array_mut().unwrap().push(field);
    let breaking = breaking.to_string();
    assert_eq!(bare.post(&subject, &breaking).await, StatusCode::CONFLICT);

    // Somebody gets it in all the same; the next deployment is told before it writes anything.
    bare.set_compatibility(&subject, "NONE").await;
    assert!(bare.post(&subject, &breaking).await.is_success());
    bare.set_compatibility(&subject, "FULL_TRANSITIVE").await;
    let refused = flotilla(&["schema", "check"]).await;
    assert_eq!(refused.code, 1, "{}", refused.stdout);
    let line = refused.stdout.lines().find(|line| line.contains(&subject)).unwrap();
    assert!(line.contains("incompatible"), "{line}");
    let why = "since version 2: mood: removed, without a default";
    assert!(refused.stdout.contains(why), "{}", refused.stdout);
    let history = flotilla(&["schema", "history", "OrderConfirmed"]).await;
    assert_eq!(history.code, 0, "{}", history.stderr);
    assert!(history.stdout.contains("mood: added, without a default"), "{}", history.stdout);
    let diff = flotilla(&["schema", "diff", "OrderConfirmed"]).await;
    assert_eq!(diff.code, 1, "{}", diff.stdout);
    assert!(diff.stdout.contains("instead: keep it"), "{}", diff.stdout);
    let unknown = flotilla(&["schema", "diff", "Nothing"]).await;
    assert_eq!(unknown.code, 5);
    assert!(unknown.stderr.contains("there are: OrderPlaced"), "{}", unknown.stderr);
}

/// The versions that were released before today's, with the name of their record.
const RELEASED: [(&str, &str); 2] = [
    ("OrderCompleted", include_str!("../../../../schemas/released/order/OrderCompleted.1.avsc")),
    ("OrderReturned", include_str!("../../../../schemas/released/order/OrderReturned.1.avsc")),
];

#[tokio::test]
async fn a_registry_that_knows_the_release_before_takes_todays_schemas_and_no_breaking_ones() {
    let url = servers().await.registry_url();
    let registry = chassis::Registry::new(&url);
    let bare = Bare { http: reqwest::Client::builder().no_proxy().build().unwrap(), url };
    for (name, released) in RELEASED {
        let records = TOPICS.iter().flat_map(|topic| topic.records);
        let today = records.into_iter().find(|record| record.name == name).unwrap();
        let changes = flotilla::evolution::changes(released, today.schema).unwrap();
        let refused = changes.iter().find(|change| !change.what.verdict().is_allowed);
        assert_eq!(refused, None, "{name}");
        let before = RecordInfo { schema: released, ..*today };
        let old = registry.register(&before).await.unwrap();
        assert!(registry.is_compatible(today).await.unwrap(), "{name}");
        let new = registry.register(today).await.unwrap();
        assert_ne!(old, new, "{name}: both can be looked up, by ids of their own");
        let subject = chassis::subject(today);
        assert_eq!(registry.versions(&subject).await.unwrap().len(), 2, "{name}");

        // What was written before has no customer, so a reader must not demand one.
        let demanding =
            today.schema.replace(r#"["null", "string"], "default": null"#, r#""string""#);
        assert_ne!(demanding, today.schema, "{name}");
        assert_eq!(bare.post(&subject, &demanding).await, StatusCode::CONFLICT, "{name}");
    }
}

/// A schema of its own, so that what is refused or taken here concerns no record of the fleet.
fn note(fields: &Value, symbols: &[&str], doc: &str) -> String {
    let mood = json!({ "type": "enum", "name": "Mood", "symbols": symbols, "default": "UNKNOWN" });
    let mut all = vec![json!({ "name": "mood", "type": mood })];
    all.extend(fields.as_array().cloned().unwrap_or_default());
    json!({ "type": "record", "name": "Noted", "namespace": "flotilla.test", "doc": doc, "fields": all })
        .to_string()
}

/// What docs/evolution.md allows and forbids.
#[tokio::test]
async fn a_registry_takes_what_may_change_and_refuses_what_may_not() {
    let url = servers().await.registry_url();
    let bare = Bare { http: reqwest::Client::builder().no_proxy().build().unwrap(), url };
    let subject = "evolution-flotilla.test.Noted";
    let amount = json!({ "name": "amount", "type": "int" });
    let symbols = ["UNKNOWN", "GOOD"];
    let first = note(&json!([amount]), &symbols, "A note.");
    assert!(bare.post(subject, &first).await.is_success());
    bare.set_compatibility(subject, "FULL_TRANSITIVE").await;

    let text = json!({ "name": "text", "type": "string" });
    let wide = json!({ "name": "amount", "type": "long" });
    let other = json!({ "name": "sum", "type": "int" });
    for (what, refused) in [
        ("a field without a default", note(&json!([amount, text]), &symbols, "")),
        ("a field that is gone", note(&json!([]), &symbols, "")),
        ("a field that is renamed", note(&json!([other]), &symbols, "")),
        ("a field that is widened", note(&json!([wide]), &symbols, "")),
    ] {
        assert_eq!(bare.post(subject, &refused).await, StatusCode::CONFLICT, "{what}");
    }

    let text = json!({ "name": "text", "type": "string", "default": "" });
    let who = json!({ "name": "who", "type": ["null", "string"], "default": null });
    let more = ["UNKNOWN", "GOOD", "BAD"];
    for (what, taken) in [
        ("another doc", note(&json!([amount]), &symbols, "Another doc.")),
        ("a field with a default", note(&json!([amount, text]), &symbols, "")),
        ("one in the middle that may be null", note(&json!([who, amount, text]), &symbols, "")),
        ("another symbol", note(&json!([who, amount, text]), &more, "")),
    ] {
        assert!(bare.post(subject, &taken).await.is_success(), "{what}");
    }
}
