//! The rules that the saga promises, checked from outside: by what each service says in its audit views, by the
//! topics, and by the ledger of the sandbox. No code of any service takes part.
//!
//! Whatever a service on the roster publishes is audited without being mentioned here: each of its topics against
//! its view `audit.published`, its outbox, its dead letters. Only rules that span several services know them.

pub mod facts;
pub mod rules;
mod collect;
mod rest;

use std::time::{Duration, Instant};

use anyhow::Result;
use events::TOPICS;
use roster::ROSTER;
use serde::Serialize;
use uuid::Uuid;

use crate::fleet::Fleet;
use facts::Facts;

/// The one topic that is compacted: only the last record of a key counts, so it is read in its own way.
pub(crate) const CATALOGUE: &str = "inventory.catalogue";

/// The topics of a service that are read event by event, and compared with what it says it has published.
pub(crate) fn topics_of(service: &str) -> impl Iterator<Item = &'static str> + use<> {
    let owned = roster::find(service).map_or(&[][..], |member| member.owns);
    owned.iter().copied().filter(|topic| !is_compacted(topic))
}

fn is_compacted(topic: &str) -> bool {
    TOPICS.iter().any(|info| info.name == topic && info.compacted)
}

/// The topics that an audit looks at, for any fleet.
pub fn audited_topics() -> impl Iterator<Item = &'static str> {
    ROSTER.iter().flat_map(|member| topics_of(member.name)).chain([CATALOGUE])
}

/// How often a fleet that is not at rest is looked at again.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// What an audit found.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// What still moved, in words; empty when the fleet was at rest.
    pub moving: Vec<String>,
    /// Each rule that was judged, with its figures.
    pub rules: Vec<rules::Rule>,
    /// Rules that hold at rest only, and were not judged because the fleet was not.
    pub not_judged: Vec<&'static str>,
    /// What is not a violation, but worth knowing.
    pub notes: Vec<String>,
}

impl Report {
    /// Whether every rule was judged, and holds.
    pub fn is_clean(&self) -> bool {
        self.moving.is_empty() && !self.is_broken()
    }

    /// Whether a rule is broken.
    pub fn is_broken(&self) -> bool {
        self.rules.iter().any(|rule| rule.violations > 0)
    }

    /// What kept the fleet from coming to rest, and the rules that are broken, with examples, on a line each.
    pub fn broken(&self) -> String {
        let moving = self.moving.iter().map(|what| format!("not at rest: {what}"));
        let broken = self.rules.iter().filter(|rule| rule.violations > 0);
        let line = |rule: &rules::Rule| {
            format!(
                "{}: {} of {}: {}",
                rule.name,
                rule.violations,
                rule.checked,
                rule.examples.join("; ")
            )
        };
        moving.chain(broken.map(line)).collect::<Vec<_>>().join("\n")
    }
}

/// Waits for the fleet to come to rest, for at most `patience`, then checks every rule. In a fleet that
/// never rests it checks what does not move: orders that have ended, and whatever holds at any moment.
pub async fn run(fleet: &Fleet, patience: Duration) -> Result<Report> {
    run_from(fleet, patience, Uuid::nil()).await
}

/// The same for orders from an id on, if earlier ones did not come through the fleet: rows that were
/// loaded into its tables are on no topic. Items are checked against the reservations from there on.
pub async fn run_from(fleet: &Fleet, patience: Duration, first: Uuid) -> Result<Report> {
    let started = Instant::now();
    loop {
        let before = rest::look(fleet, first).await?;
        let is_last = started.elapsed() >= patience;
        if before.moving.is_empty() || is_last {
            let mut facts = collect::collect(fleet, first).await?;
            let moving = moved(before, rest::look(fleet, first).await?);
            if moving.is_empty() || is_last {
                if !moving.is_empty() {
                    facts.after = Some(Box::new(collect::tables(fleet, first).await?));
                }
                let mut report = check(&facts, moving);
                if !first.is_nil() {
                    report.notes.push(format!("orders before {first} were not looked at"));
                }
                return Ok(report);
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// What moved between two looks. A fleet at rest both times may have worked in between: then it has
/// committed something.
fn moved(before: rest::Look, after: rest::Look) -> Vec<String> {
    let mut moving = if before.moving.is_empty() { after.moving } else { before.moving };
    if moving.is_empty() && before.heads != after.heads {
        moving.push("batches were committed while the audit read".to_owned());
    }
    moving
}

/// Checks every rule on what was collected or, when something moved, those that can still be judged.
pub fn check(facts: &Facts, moving: Vec<String>) -> Report {
    let mut notes = Vec::new();
    let duplicates = facts.topics.iter().map(|topic| topic.duplicates).sum::<u64>();
    let records = facts.topics.iter().map(|topic| topic.records).sum::<u64>();
    notes.push(format!("{records} records on the topics, {duplicates} of them published again"));
    let told_again = facts.topics.iter().map(|topic| topic.told_again).sum::<u64>();
    if told_again > 0 {
        notes.push(format!(
            "{told_again} events were told again with another time: a database was set back"
        ));
    }
    let foreign = facts.topics.iter().map(|topic| topic.foreign).sum::<u64>();
    if foreign > 0 {
        notes.push(format!("{foreign} records on the topics were written by no service"));
    }
    for topic in facts.topics.iter().filter(|topic| topic.expired_until_ms.is_some()) {
        let name = &topic.name;
        notes.push(format!("{name} has lost its beginning to retention; the rest was judged"));
    }
    if facts.dead_letters > 0 {
        let count = facts.dead_letters;
        notes.push(format!("{count} dead letters wait; `flotilla dlq list` shows them"));
    }
    for (settled, what, whose) in [
        (&facts.payments_by_hand, "payments", "provider"),
        (&facts.shipments_by_hand, "shipments", "carrier"),
    ] {
        if !settled.is_empty() {
            let count = settled.len();
            notes.push(format!(
                "{count} {what} were settled by hand (table settlements); the {whose}'s books were not \
                 asked about them"
            ));
        }
    }
    if facts.ledger.is_none() {
        notes.push("no sandbox runs: the providers' own books were not compared".to_owned());
    }
    let (rules, others): (Vec<_>, Vec<_>) =
        rules::all(facts).into_iter().partition(|rule| moving.is_empty() || !rule.at_rest_only);
    let not_judged = others.into_iter().map(|rule| rule.name).collect();
    Report { moving, rules, not_judged, notes }
}
