//! What all services have published, and what must be true of it at every moment: facts of a key are numbered
//! without gaps, and what happens once is told once.

use std::collections::{BTreeMap, BTreeSet};

use chassis::model::Fact;
use events::TOPICS;

/// Every fact that was published.
#[derive(Clone, Default)]
pub(super) struct Published {
    facts: Vec<Fact>,
}

impl Published {
    /// Adds a fact; returns what is wrong with it.
    pub(super) fn add(&mut self, fact: Fact) -> Option<String> {
        let wrong = self.wrong_with(&fact);
        self.facts.push(fact);
        wrong
    }

    fn wrong_with(&self, fact: &Fact) -> Option<String> {
        let earlier = || self.about(fact.topic(), fact.key());
        let expected = earlier().map(Fact::sequence).max().unwrap_or(0) + 1;
        if fact.sequence() != expected {
            return Some(format!("{}: {fact:?}, expected number {expected}", fact.key()));
        }
        let told_before = !is_compacted(fact) && earlier().any(|told| told.name() == fact.name());
        told_before.then(|| format!("{}: {} is told again", fact.key(), fact.name()))
    }

    /// The facts about a key on a topic, in their order.
    pub(super) fn about(&self, topic: &str, key: &str) -> impl Iterator<Item = &Fact> {
        self.facts.iter().filter(move |fact| fact.topic() == topic && fact.key() == key)
    }

    /// Which facts there are, whatever their order among topics.
    pub(super) fn names(&self) -> BTreeSet<(&str, &'static str)> {
        self.facts.iter().map(|fact| (fact.key(), fact.name())).collect()
    }

    /// Who published each fact.
    pub(super) fn sources(&self) -> impl Iterator<Item = &'static str> {
        self.facts.iter().map(Fact::source)
    }

    /// How many facts there are of each topic and key.
    pub(super) fn counts(&self) -> BTreeMap<(&'static str, &str), usize> {
        let mut counts = BTreeMap::new();
        for fact in &self.facts {
            *counts.entry((fact.topic(), fact.key())).or_default() += 1;
        }
        counts
    }
}

/// The catalogue says again and again how things are; on other topics something happens once.
fn is_compacted(fact: &Fact) -> bool {
    TOPICS.iter().any(|topic| topic.name == fact.topic() && topic.compacted)
}
