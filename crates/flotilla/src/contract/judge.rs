//! What a consumer got wrong, by the lines that it printed.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use serde_json::Value;

use super::stream::Sent;

/// An event by its source and id.
type Name = (String, String);

/// What a consumer has to print.
#[derive(Debug, Clone, Default)]
pub struct Expected {
    /// Each event once: its topic and key, its place among them, its type.
    events: BTreeMap<Name, Place>,
    /// What it may print or leave out.
    optional: BTreeSet<Name>,
}

#[derive(Debug, Clone)]
struct Place {
    row: (String, String),
    number: usize,
    kind: String,
}

/// What one process printed, and how it ended.
#[derive(Debug, Clone, Default)]
pub struct Printed {
    /// Its lines.
    pub lines: Vec<String>,
    /// How it ended, if it did so by itself and badly.
    pub ended: Option<String>,
}

/// Something that a consumer got wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It ended before it was told to.
    Ended(String),
    /// A line is no JSON object with `source` and `id`.
    NoEvent(String),
    /// Nobody published what it printed.
    Invented(String),
    /// It did not print an event.
    Missed(String),
    /// It printed an event again that it had printed itself.
    Twice(String),
    /// It printed an event after a later one of the same topic and key.
    Order(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Ended(how) => write!(f, "it ended: {how}"),
            Fault::NoEvent(line) => {
                write!(f, "a line is no JSON object with a source and an id: {line}")
            }
            Fault::Invented(event) => write!(f, "printed what was never published: {event}"),
            Fault::Missed(event) => write!(f, "missed: {event}"),
            Fault::Twice(event) => write!(f, "twice: {event}"),
            Fault::Order(events) => write!(f, "wrong order: {events}"),
        }
    }
}

impl Expected {
    /// What a consumer of these topics has to print of a stream.
    pub(super) fn of(stream: &[Sent], topics: &[String]) -> Self {
        let mut expected = Expected::default();
        let mut numbers: HashMap<(String, String), usize> = HashMap::new();
        for sent in stream.iter().filter(|sent| topics.contains(&sent.record.topic)) {
            let header = |name: &str| sent.record.headers.get(name).cloned().unwrap_or_default();
            let name = (header("ce_source"), header("ce_id"));
            if sent.may_be_skipped {
                expected.optional.insert(name);
                continue;
            }
            let row = (sent.record.topic.clone(), sent.record.key.clone());
            let number = numbers.entry(row.clone()).or_default();
            *number += 1;
            let place = Place { row, number: *number, kind: header("ce_type") };
            // A copy has the place of the first.
            expected.events.entry(name).or_insert(place);
        }
        expected
    }

    /// How many events that are.
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether there is nothing to print.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }
}

/// What is wrong with what the processes of one group printed, one after the other. What a process printed before it
/// was killed, the next one may print again.
pub fn judged(expected: &Expected, runs: &[Printed]) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut all = BTreeSet::new();
    for run in runs {
        let mut seen = BTreeSet::new();
        let mut latest: HashMap<&(String, String), &Place> = HashMap::new();
        for line in &run.lines {
            let Some(name) = name_of(line) else {
                faults.push(Fault::NoEvent(line.clone()));
                continue;
            };
            let said = format!("{}/{}", name.0, name.1);
            if expected.optional.contains(&name) {
                continue;
            }
            let Some(place) = expected.events.get(&name) else {
                faults.push(Fault::Invented(said));
                continue;
            };
            let said = format!("{} {said}", short(&place.kind));
            if !seen.insert(name.clone()) {
                faults.push(Fault::Twice(said));
                continue;
            }
            match latest.get(&place.row) {
                Some(later) if later.number > place.number => {
                    faults.push(Fault::Order(format!("{said} after {}", short(&later.kind))));
                }
                Some(_) | None => _ = latest.insert(&place.row, place),
            }
        }
        all.append(&mut seen);
        faults.extend(run.ended.clone().map(Fault::Ended));
    }
    let missed = expected.events.iter().filter(|(name, _)| !all.contains(*name));
    faults.extend(missed.map(|((source, id), place)| {
        Fault::Missed(format!("{} {source}/{id}", short(&place.kind)))
    }));
    faults
}

/// The type without its namespace.
fn short(kind: &str) -> &str {
    kind.rsplit('.').next().unwrap_or(kind)
}

/// The event that a line is about; the attributes may have the prefix that they have as headers.
fn name_of(line: &str) -> Option<Name> {
    let value: Value = serde_json::from_str(line).ok()?;
    let text = |name: &str| {
        let found = value.get(name).or_else(|| value.get(format!("ce_{name}")));
        found.and_then(Value::as_str).map(str::to_owned)
    };
    Some((text("source")?, text("id")?))
}

#[cfg(test)]
mod tests;
