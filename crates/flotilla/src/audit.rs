//! The rules that the saga promises, checked from outside: by the tables of all four services, the
//! topics, and the ledger of the sandbox. No code of any service takes part.

pub mod facts;
pub mod rules;
mod collect;

use std::time::{Duration, Instant};

use anyhow::Result;
use serde::Serialize;

use crate::fleet::Fleet;
use facts::Facts;

/// How often a fleet that is not at rest is looked at again.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// What an audit found.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Each rule with its figures.
    pub rules: Vec<rules::Rule>,
    /// What is no violation, but worth knowing.
    pub notes: Vec<String>,
}

impl Report {
    /// Whether every rule holds.
    pub fn is_clean(&self) -> bool {
        self.rules.iter().all(|rule| rule.violations == 0)
    }

    /// The rules that are broken, with examples, on a line each.
    pub fn broken(&self) -> String {
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
        broken.map(line).collect::<Vec<_>>().join("\n")
    }
}

/// Waits for the fleet to come to rest, for at most `patience`, then checks every rule.
pub async fn run(fleet: &Fleet, patience: Duration) -> Result<Report> {
    let started = Instant::now();
    while !collect::is_at_rest(fleet).await? && started.elapsed() < patience {
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(check(&collect::collect(fleet).await?))
}

/// Checks every rule on what was collected.
pub fn check(facts: &Facts) -> Report {
    let mut notes = Vec::new();
    let duplicates = facts.topics.iter().map(|topic| topic.duplicates).sum::<u64>();
    let records = facts.topics.iter().map(|topic| topic.records).sum::<u64>();
    notes.push(format!("{records} records on the topics, {duplicates} of them published again"));
    if facts.dead_letters > 0 {
        let count = facts.dead_letters;
        notes.push(format!("{count} dead letters wait; `flotilla dlq list` shows them"));
    }
    if facts.ledger.is_none() {
        notes.push("no sandbox runs: the providers' own books were not compared".to_owned());
    }
    Report { rules: rules::all(facts), notes }
}
