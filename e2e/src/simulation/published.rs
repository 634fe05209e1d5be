//! What all services have published, and what must be true of it at every moment: facts of a key are numbered
//! without gaps, and what happens once is published once.

use std::collections::BTreeMap;
use std::sync::Arc;

use chassis::model::Fact;
use events::TOPICS;

/// Every fact that was published, by topic and key.
#[derive(Clone, Default)]
pub(super) struct Published {
    facts: BTreeMap<(&'static str, Arc<str>), Vec<Fact>>,
}

impl Published {
    /// Adds a fact; returns what is wrong with it.
    pub(super) fn add(&mut self, fact: Fact) -> Option<String> {
        let earlier = self.facts.entry((fact.topic(), Arc::clone(fact.key()))).or_default();
        let expected = earlier.len() as i64 + 1;
        let is_again = earlier.iter().any(|earlier| earlier.name() == fact.name());
        let wrong = if fact.sequence() != expected {
            Some(format!("{}: {fact:?}, expected number {expected}", fact.key()))
        } else if is_again && !is_compacted(&fact) {
            Some(format!("{}: {} is told again", fact.key(), fact.name()))
        } else {
            None
        };
        earlier.push(fact);
        wrong
    }

    /// The facts about a key on a topic, in their order.
    pub(super) fn about(&self, topic: &'static str, key: &str) -> &[Fact] {
        self.facts.get(&(topic, Arc::from(key))).map(Vec::as_slice).unwrap_or_default()
    }

    /// All facts.
    pub(super) fn all(&self) -> impl Iterator<Item = &Fact> {
        self.facts.values().flatten()
    }

    /// What was published about each key, in its order.
    pub(super) fn told(&self) -> String {
        let mut told = String::new();
        for ((_, key), facts) in &self.facts {
            told.push_str(key);
            for fact in facts {
                told.push(' ');
                told.push_str(fact.name());
            }
            told.push('\n');
        }
        told
    }
}

/// The catalogue states the same things repeatedly; on other topics each thing happens once.
fn is_compacted(fact: &Fact) -> bool {
    TOPICS.iter().any(|topic| topic.name == fact.topic() && topic.compacted)
}
