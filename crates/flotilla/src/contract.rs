//! The contract test of a consumer: everything that the recorded sagas have, published as Kafka may deliver it, and the
//! consumer judged by what it prints. Separate from the command, so that tests can judge without servers.

mod judge;
mod play;
mod servers;
mod stream;

use std::time::Duration;

use anyhow::{Context, Result};
use events::TOPICS;

pub use judge::{Expected, Fault, Printed, judged};
pub use servers::{Servers, given, own};

use crate::sagas::{Manifest, Saga};

macro_rules! recorded {
    ($($name:literal),+ $(,)?) => {
        &[$((
            $name,
            include_str!(concat!("../../../fixtures/sagas/", $name, "/records.jsonl")),
            include_str!(concat!("../../../fixtures/sagas/", $name, "/events.jsonl")),
        )),+]
    };
}

/// The recorded sagas, compiled in: a consumer's team needs nothing but the program.
const SAGAS: &[(&str, &str, &str)] = recorded![
    "fulfilled",
    "out-of-stock",
    "payment-declined",
    "shipment-refused",
    "cancelled-before-confirmation",
    "cancelled-after-confirmation",
    "cancelled-too-late",
    "overdue-before-confirmation",
    "overdue-after-confirmation",
    "returned",
    "last-unit",
];
const MANIFEST: &str = include_str!("../../../fixtures/sagas/manifest.json");

/// A consumer, and how it is to be tested.
#[derive(Debug, Clone)]
pub struct Consumer {
    /// Its program and arguments; `{group}` in one of them becomes the name of the group.
    pub command: Vec<String>,
    /// The topics that it reads.
    pub topics: Vec<String>,
    /// It is at its end when it has printed nothing for so long.
    pub idle: Duration,
}

/// What became of one run.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// What was done with the consumer.
    pub run: &'static str,
    /// How many events it was to print.
    pub events: usize,
    /// What it got wrong.
    pub faults: Vec<Fault>,
}

/// The topics that a consumer reads that is about orders.
pub fn topics_of_orders() -> Vec<String> {
    let orders =
        TOPICS.iter().filter(|topic| !topic.compacted && roster::owner_of(topic.name).is_some());
    orders.map(|topic| topic.name.to_owned()).collect()
}

/// The recorded sagas by their names, and what they are.
pub fn sagas() -> Result<(Manifest, Vec<(&'static str, Saga)>)> {
    let parse = |(name, records, events): &(&'static str, &str, &str)| {
        let saga = Saga::parsed(records, events).with_context(|| format!("the saga {name}"))?;
        Ok((*name, saga))
    };
    Ok((Manifest::parsed(MANIFEST)?, SAGAS.iter().map(parse).collect::<Result<_>>()?))
}

/// Publishes everything to these servers. Returns what a consumer of these topics has to print.
pub async fn publish(servers: &Servers, topics: &[String]) -> Result<Expected> {
    let (manifest, sagas) = sagas()?;
    let ids = servers.prepare(&manifest).await?;
    let stream = stream::woven(&sagas, &ids)?;
    let expected = Expected::of(&stream, topics);
    servers.load(&stream).await?;
    Ok(expected)
}

/// Runs the consumer against these servers, where everything is published: once to its end, and once more with another
/// group, killed half-way and started again. Blocks.
pub fn test(servers: &Servers, consumer: &Consumer, expected: &Expected) -> Result<Vec<Verdict>> {
    let whole = play::to_the_end(servers, consumer, "contract-straight")?;
    let verdict = |run, faults| Verdict { run, events: expected.len(), faults };
    let straight = verdict("read to the end", judged(expected, &[whole]));
    let first = play::until_killed(servers, consumer, "contract-killed", expected.len() / 2)?;
    let second = play::to_the_end(servers, consumer, "contract-killed")?;
    let killed = verdict("killed and started again", judged(expected, &[first, second]));
    Ok(vec![straight, killed])
}
