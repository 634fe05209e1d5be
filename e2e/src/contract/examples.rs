//! An example of each event: the first that a recorded saga has of it, most of them from the one that goes well.

use std::collections::BTreeMap;

use flotilla::sagas::{Event, Manifest, Record, Saga};

use super::root;

/// The saga that goes well.
const FIRST: &str = "fulfilled";

/// An event as it was on its topic.
#[derive(Debug, Clone)]
pub(super) struct Example {
    /// The folder of the saga that it is from.
    pub(super) saga: String,
    /// As it was.
    pub(super) record: Record,
    /// Decoded.
    pub(super) event: Event,
}

/// The examples by the full names of their records.
pub(super) fn examples() -> BTreeMap<String, Example> {
    let folder = root().join("fixtures/sagas");
    let mut examples = BTreeMap::new();
    let manifest = Manifest::read(&folder).expect("the recorded sagas are there");
    let mut sagas: Vec<String> = manifest.sagas.into_keys().collect();
    sagas.sort_by_key(|saga| saga != FIRST);
    for saga in sagas {
        let Saga { records, events } =
            Saga::read(&folder.join(&saga)).expect("what the manifest names is a saga");
        for (record, event) in records.into_iter().zip(events) {
            let name = event.r#type.clone();
            let saga = saga.clone();
            examples.entry(name).or_insert(Example { saga, record, event });
        }
    }
    examples
}
