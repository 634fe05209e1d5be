//! An outbox row as it was committed, in memory: what a service publishes, on its way to those who hear it.

use std::collections::VecDeque;

use super::wire::{Record, records};
use crate::publish::relay::hand_over::CommittedBatch;

/// An outbox row of a service.
pub struct Row {
    pub(crate) service: &'static str,
    /// One batch, as the publisher takes a queue of them.
    pub(crate) batches: VecDeque<CommittedBatch>,
}

impl Row {
    pub(crate) fn new(service: &'static str, batch: CommittedBatch) -> Self {
        Row { service, batches: VecDeque::from([batch]) }
    }

    /// The service that published it.
    pub fn service(&self) -> &'static str {
        self.service
    }

    /// Its records, as they are on their topics.
    pub fn records(&self) -> Vec<Record> {
        self.batches.iter().flat_map(|batch| records(self.service, &batch.row)).collect()
    }
}
