//! `docs/asyncapi.json`: the topics of the fleet as an AsyncAPI document, for tools that generate code or draw.

use std::collections::{BTreeMap, BTreeSet};

use chassis::topics::{TopicPlan, plan};
use events::TOPICS;
use language::TopicInfo;
use local::{DEFAULT_BASE_PORT, Ports};
use serde_json::{Map, Value, json};

use super::examples::{Example, examples};
use super::{Event, events};

/// The version of AsyncAPI. Newer ones are refused by tools that are in use.
const VERSION: &str = "3.0.0";
/// How the values are written, for parsers that read Avro. Those of today know no later version of Avro by name; what
/// our schemas use of it is in this one.
pub const SCHEMA_FORMAT: &str = "application/vnd.apache.avro+json;version=1.9.0";
/// What is in a value.
const CONTENT_TYPE: &str = "application/vnd.confluent.avro";
/// The version of AsyncAPI's vocabulary for Kafka.
const KAFKA: &str = "0.5.0";

const ABOUT: &str = "What the services of Flotilla tell each other and everybody else. Delivery is at least once: \
    tell a repeated event by ce_source and ce_id. Events of a key come in the order of their commits. \
    docs/guide-consumers.md and docs/guide-producers.md say what is promised, docs/evolution.md what may change.";
const WITHIN: &str = "Events of a key are in one partition, and their first deliveries in the order in which they were \
    committed. Nothing is promised between keys, or between topics.";
const OUTSIDE: &str = "Adjustments of an item add up, so that their order does not matter; those of a key are in one \
    partition.";
const DELIVERY: &str = "at least once";

/// The document.
pub fn document() -> String {
    let (events, examples) = (events(), examples());
    let document = json!({
        "asyncapi": VERSION,
        "info": {
            "title": "Flotilla's events",
            "version": env!("CARGO_PKG_VERSION"),
            "description": ABOUT,
            "license": { "name": "MIT OR Apache-2.0" },
        },
        "defaultContentType": CONTENT_TYPE,
        "servers": { "local": server() },
        "channels": channels(&events),
        "operations": operations(&events),
        "components": {
            "messages": messages(&events, &examples),
            "schemas": schemas(&events),
        },
    });
    format!("{document:#}\n")
}

/// Kafka as `flotilla local up` starts it.
fn server() -> Value {
    let ports = Ports::from_base(DEFAULT_BASE_PORT);
    json!({
        "host": format!("127.0.0.1:{}", ports.get("kafka")),
        "protocol": "kafka",
        "description": "Kafka of a local fleet, `flotilla local up`",
        "bindings": { "kafka": {
            "schemaRegistryUrl": format!("http://127.0.0.1:{}/apis/ccompat/v7", ports.get("registry")),
            "schemaRegistryVendor": "confluent",
            "bindingVersion": KAFKA,
        } },
    })
}

fn channels(events: &[Event]) -> Value {
    let settings = plan(TOPICS, 1, &[]);
    let channel = |topic: &TopicInfo| {
        let carried: Vec<&Event> =
            events.iter().filter(|event| event.topic.name == topic.name).collect();
        let first = carried[0];
        let messages: Map<String, Value> =
            carried.iter().map(|event| (event.record.name.to_owned(), message_of(event))).collect();
        let channel = json!({
            "address": topic.name,
            "title": topic.name,
            "description": format!("Written by {}; the key is the field {}.", first.writer, first.key()),
            "messages": messages,
            "bindings": { "kafka": {
                "topic": topic.name,
                "topicConfiguration": configuration(&settings, topic.name),
                "bindingVersion": KAFKA,
            } },
            "x-key": first.key(),
            "x-ordering": if first.is_foreign { OUTSIDE } else { WITHIN },
            "x-delivery": DELIVERY,
        });
        (topic.name.to_owned(), channel)
    };
    TOPICS.iter().map(channel).collect::<Map<_, _>>().into()
}

/// What the topic is created with, in the types that the vocabulary has for it.
fn configuration(settings: &[TopicPlan], topic: &str) -> Value {
    let planned = settings.iter().find(|planned| planned.name == topic);
    let settings = planned.into_iter().flat_map(|planned| &planned.settings);
    let typed = |(name, value): &(&'static str, &'static str)| {
        let value = value.parse::<i64>().map_or_else(|_| json!([value]), Value::from);
        ((*name).to_owned(), value)
    };
    settings.map(typed).collect::<Map<_, _>>().into()
}

fn message_of(event: &Event) -> Value {
    json!({ "$ref": format!("#/components/messages/{}", event.record.name) })
}

/// Who writes to a topic, and who hears it. An operation of a service names the messages that make it do something.
fn operations(events: &[Event]) -> Value {
    let mut operations = Map::new();
    for topic in TOPICS {
        let carried: Vec<&Event> =
            events.iter().filter(|event| event.topic.name == topic.name).collect();
        let writer = carried[0].writer;
        let says = operation("send", topic, &carried, format!("{writer} writes to {}", topic.name));
        operations.insert(format!("{writer} writes {}", topic.name).replace(' ', "-"), says);
        let services: BTreeSet<&str> =
            carried.iter().flat_map(|event| &event.consumers).map(|c| c.service).collect();
        for service in services {
            let acts = |event: &&&Event| {
                event.consumers.iter().any(|c| c.service == service && c.does.is_some())
            };
            let heard: Vec<&Event> = carried.iter().filter(acts).copied().collect();
            let hears = format!("{service} hears {}", topic.name);
            let name = hears.replace(' ', "-");
            operations.insert(name, operation("receive", topic, &heard, hears));
        }
    }
    operations.into()
}

fn operation(action: &str, topic: &TopicInfo, events: &[&Event], summary: String) -> Value {
    // A name with a dot or a slash would be escaped; those of topics and records have no slash.
    let channel = format!("#/channels/{}", topic.name);
    let messages: Vec<Value> = events
        .iter()
        .map(|event| json!({ "$ref": format!("{channel}/messages/{}", event.record.name) }))
        .collect();
    json!({
        "action": action, "channel": { "$ref": channel }, "messages": messages, "summary": summary,
    })
}

fn messages(events: &[Event], examples: &BTreeMap<String, Example>) -> Value {
    let message = |event: &Event| {
        let mut message = json!({
            "name": event.record.full_name,
            "title": event.record.name,
            "summary": event.doc(),
            "contentType": CONTENT_TYPE,
            "headers": { "$ref": headers_of(event) },
            "payload": { "$ref": format!("#/components/schemas/{}", event.record.name) },
            "bindings": { "kafka": {
                "key": { "type": "string", "description": format!("The field {} as text", event.key()) },
                "schemaIdLocation": "payload",
                "schemaIdPayloadEncoding": "confluent",
                "schemaLookupStrategy": "TopicRecordNameStrategy",
                "bindingVersion": KAFKA,
            } },
            "x-subject": chassis::subject(event.record),
            "x-consumers": consumers(event),
        });
        if !event.is_foreign {
            let location = "$message.header#/ce_correlationid";
            message["correlationId"] = json!({ "location": location, "description": "The order" });
        }
        if let Some(example) = examples.get(event.record.full_name) {
            message["examples"] = json!([{
                "name": example.saga,
                "summary": format!("From the recorded saga {}", example.saga),
                "headers": example.record.headers,
                "payload": example.event.data,
            }]);
        }
        (event.record.name.to_owned(), message)
    };
    events.iter().map(message).collect::<Map<_, _>>().into()
}

fn consumers(event: &Event) -> Value {
    let heard = event.consumers.iter().filter_map(|consumer| {
        Some(json!({
            "service": consumer.service,
            "does": consumer.does?,
            "if_it_cannot": if consumer.holds { "holds the partition" } else { "sets it aside" },
        }))
    });
    heard.collect::<Vec<_>>().into()
}

fn headers_of(event: &Event) -> &'static str {
    if event.is_foreign {
        "#/components/schemas/headersFromOutside"
    } else {
        "#/components/schemas/headers"
    }
}

fn schemas(events: &[Event]) -> Value {
    let mut schemas: Map<String, Value> = events
        .iter()
        .map(|event| {
            let schema = json!({ "schemaFormat": SCHEMA_FORMAT, "schema": event.schema });
            (event.record.name.to_owned(), schema)
        })
        .collect();
    schemas.insert("headers".to_owned(), headers(&REQUIRED));
    schemas.insert("headersFromOutside".to_owned(), headers(&[]));
    schemas.into()
}

/// The headers that every event of a service has.
pub const REQUIRED: [&str; 9] = [
    "ce_specversion",
    "ce_id",
    "ce_source",
    "ce_type",
    "ce_time",
    "ce_subject",
    "ce_sequence",
    "ce_correlationid",
    "content-type",
];

/// Every header that an event may have, with what it means.
pub const HEADERS: [(&str, &str); 12] = [
    ("ce_specversion", "1.0: CloudEvents, in Kafka's binary mode"),
    (
        "ce_id",
        "key/sequence; with ce_source the name of the event, the same however often it is published",
    ),
    ("ce_source", "The service that says it"),
    ("ce_type", "The full name of the record"),
    ("ce_time", "When it was committed, RFC 3339 in UTC to the microsecond"),
    ("ce_subject", "What it is about: the key"),
    ("ce_sequence", "Its number among the events of its source and key, from 1 without gaps"),
    ("ce_correlationid", "The order, or the item, that it belongs to"),
    ("content-type", CONTENT_TYPE),
    ("ce_causationid", "source/id of the event that caused it; none where a person or a clock did"),
    ("traceparent", "The trace that it belongs to (W3C)"),
    ("tracestate", "What tracing systems add to it (W3C)"),
];

fn headers(required: &[&str]) -> Value {
    let header = |(name, meaning): &(&str, &str)| {
        ((*name).to_owned(), json!({ "type": "string", "description": meaning }))
    };
    let properties: Map<String, Value> = HEADERS.iter().map(header).collect();
    json!({ "type": "object", "properties": properties, "required": required })
}
