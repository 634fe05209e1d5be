//! The event catalogue in `docs/events`: a page for each event, and an index.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::{Value, json};

use super::examples::{Example, examples};
use super::{Consumer, Event, doc_of, events, fields, name_of};

/// What the generated pages begin with, after their title.
const GENERATED: &str = "Written by a test from the schemas, from what the services say of themselves and from \
                         [recorded sagas](SAGAS); do not edit (`UPDATE_GENERATED=1 cargo test -p e2e --test rules`).";

/// Every page with its place below `docs`.
pub fn pages() -> Vec<(String, String)> {
    let (events, examples) = (events(), examples());
    let page = |event: &Event| {
        let example = examples.get(event.record.full_name);
        (format!("events/{}.md", event.record.name), page(event, example))
    };
    let index = ("events/README.md".to_owned(), index(&events));
    std::iter::once(index).chain(events.iter().map(page)).collect()
}

fn generated() -> String {
    GENERATED.replace("SAGAS", "../../fixtures/sagas/README.md")
}

fn index(events: &[Event]) -> String {
    let mut text = format!(
        "# Events\n\n{}\n\nEverything that crosses a topic. How it is delivered: \
         [for consumers](../guide-consumers.md); how it may change: [evolution](../evolution.md); the same for \
         machines: [asyncapi.json](../asyncapi.json).\n",
        generated()
    );
    let mut topic = "";
    for event in events {
        if event.topic.name != topic {
            topic = event.topic.name;
            let by = written_by(event);
            put(
                &mut text,
                format_args!("\n## {topic}\n\nWritten by {by}; key `{}`.\n", event.key()),
            );
            text.push_str("\n| event | meaning | heard by |\n|---|---|---|\n");
        }
        let heard = event.consumers.iter().filter(|consumer| consumer.does.is_some());
        let heard: Vec<String> = heard.map(called).collect();
        let heard =
            if heard.is_empty() { "nobody in the fleet".to_owned() } else { heard.join(", ") };
        let name = event.record.name;
        put(&mut text, format_args!("| [{name}]({name}.md) | {} | {heard} |\n", event.doc()));
    }
    text
}

fn page(event: &Event, example: Option<&Example>) -> String {
    let mut text = format!(
        "# {}\n\n{}\n\n{}\n\n| | |\n|---|---|\n",
        event.record.name,
        event.doc(),
        generated()
    );
    let file = event.file();
    let kept = match event.topic.compacted {
        true => "the last event of each key, for ever (compacted)",
        false => "for ever, unless the topic's `retention.ms` was set",
    };
    for (what, is) in [
        ("type (`ce_type`)", format!("`{}`", event.record.full_name)),
        ("topic", format!("`{}`", event.topic.name)),
        ("key", format!("`{}`", event.key())),
        ("written by", written_by(event)),
        ("kept", kept.to_owned()),
        ("schema", format!("[{file}](../../{file}), subject `{}`", subject(event))),
    ] {
        put(&mut text, format_args!("| {what} | {is} |\n"));
    }
    text.push_str(&heard(event));
    text.push_str("\n## Fields\n\n| field | type | meaning |\n|---|---|---|\n");
    field_rows(&mut text, "", &event.schema);
    text.push_str(&versions(event));
    if let Some(example) = example {
        text.push_str(&shown(example));
    }
    text
}

/// The subject of its schema in the registry.
fn subject(event: &Event) -> String {
    chassis::subject(event.record)
}

fn written_by(event: &Event) -> String {
    match event.is_foreign {
        true => format!("{}, which is outside of the fleet", event.writer),
        false => event.writer.to_owned(),
    }
}

fn called(consumer: &Consumer) -> String {
    let asked = if consumer.is_on_request { " (on request)" } else { "" };
    format!("{}{asked}", consumer.service)
}

fn heard(event: &Event) -> String {
    let mut text = "\n## Who hears it\n\n".to_owned();
    if event.consumers.is_empty() {
        text.push_str("No service of the fleet hears this topic; it is for others.\n");
        return text;
    }
    text.push_str("| service | what it does | if it cannot be processed |\n|---|---|---|\n");
    for consumer in &event.consumers {
        let otherwise = match (consumer.does, consumer.holds) {
            (None, _) => "",
            (Some(_), true) => "its partition waits for an operator",
            (Some(_), false) => "it is set aside",
        };
        let does = consumer.does.unwrap_or("Ignores it.");
        put(&mut text, format_args!("| {} | {does} | {otherwise} |\n", called(consumer)));
    }
    text
}

fn field_rows(text: &mut String, before: &str, record: &Value) {
    for field in fields(record) {
        let (name, doc) = (name_of(field), doc_of(field));
        let default = field.get("default").map(|default| format!("; `{default}` by default"));
        let (is, inner, list) = type_of(&field["type"]);
        let default = default.unwrap_or_default();
        put(text, format_args!("| `{before}{name}` | {is}{default} | {doc} |\n"));
        if let Some(inner) = inner {
            field_rows(text, &format!("{before}{name}{list}."), inner);
        }
    }
}

/// A type in words, the record in it, and what a path says where there are several of it.
fn type_of(schema: &Value) -> (String, Option<&Value>, &'static str) {
    if let Some(branches) = schema.as_array() {
        let names = branches.iter().map(|branch| type_of(branch).0);
        return (names.collect::<Vec<_>>().join(" or "), None, "");
    }
    let name = schema["name"].as_str().unwrap_or_default();
    match schema["type"].as_str() {
        Some("array") => {
            let (is, inner, _) = type_of(&schema["items"]);
            (format!("list of {is}"), inner, "[]")
        }
        Some("record") => (format!("`{name}`"), Some(schema), ""),
        Some("enum") => {
            let symbols = schema["symbols"].as_array().into_iter().flatten();
            let symbols: Vec<String> = symbols
                .map(|symbol| format!("`{}`", symbol.as_str().unwrap_or_default()))
                .collect();
            let default = schema["default"].as_str().unwrap_or_default();
            (
                format!("enum `{name}`: {}; unknown ones read as `{default}`", symbols.join(", ")),
                None,
                "",
            )
        }
        Some(plain) => match schema["logicalType"].as_str() {
            Some(logical) => (format!("{plain} ({logical})"), None, ""),
            None => (plain.to_owned(), None, ""),
        },
        None => (schema.as_str().unwrap_or_default().to_owned(), None, ""),
    }
}

fn versions(event: &Event) -> String {
    let mut text = "\n## Versions\n\n".to_owned();
    if event.released.is_empty() {
        text.push_str("One: it has not changed since it was released.\n");
        return text;
    }
    text.push_str("Topics keep events of all of them; each reads the others.\n\n");
    text.push_str("| version | schema | what changed |\n|---|---|---|\n");
    let mut before: Option<&Value> = None;
    for (number, schema) in (1..).zip(event.released.iter().chain([&event.schema])) {
        let is_today = number > event.released.len();
        let name = match is_today {
            true => event.file(),
            false => {
                format!("schemas/released/{}/{}.{number}.avsc", event.owner(), event.record.name)
            }
        };
        let change = before.map_or_else(|| "the first".to_owned(), |old| added(old, schema));
        put(&mut text, format_args!("| {number} | [{name}](../../{name}) | {change} |\n"));
        before = Some(schema);
    }
    text
}

/// What a version has that the one before did not have.
fn added(old: &Value, new: &Value) -> String {
    let had = |field: &&Value| !fields(old).any(|before| name_of(before) == name_of(field));
    let added: Vec<String> =
        fields(new).filter(had).map(|field| format!("`{}`", name_of(field))).collect();
    match added.is_empty() {
        true => "its documentation, or the symbols of an enum".to_owned(),
        false => format!("has {} as well", added.join(", ")),
    }
}

fn shown(example: &Example) -> String {
    let Example { saga, record, event } = example;
    let headers: BTreeMap<&String, &String> = record.headers.iter().collect();
    let shown = json!({ "key": record.key, "headers": headers, "value": event.data });
    format!(
        "\n## Example\n\nFrom the saga [{saga}](../../fixtures/sagas/{saga}/events.jsonl), decoded.\n\n\
         ```json\n{shown:#}\n```\n"
    )
}

fn put(text: &mut String, line: std::fmt::Arguments<'_>) {
    text.write_fmt(line).expect("writing to a string cannot fail");
}
