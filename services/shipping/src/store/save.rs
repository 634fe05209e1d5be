//! Writes what a batch changed: one statement for new rows, one for those that were there, in the
//! order of the ids, so that replicas that touch the same shipments do not deadlock.

use chassis::{Failure, Writes};
use chrono::{DateTime, Utc};
use events::OrderId;
use uuid::Uuid;

use super::columns::columns_of;
use super::{Row, Rows, settlements};

pub fn save(rows: &Rows, writes: &mut Writes) -> Result<(), Failure> {
    if rows.values().any(|row| row.unread && row.changed_at_micros.is_none()) {
        return Err(Failure::unread("shipments"));
    }
    let mut changed: Vec<_> =
        rows.iter().filter_map(|(id, row)| Some((*id, row, row.changed_at_micros?))).collect();
    changed.sort_unstable_by_key(|(id, ..)| *id);
    let (mut new, mut old) = (Arrays::default(), Arrays::default());
    for (id, row, changed_at_micros) in changed {
        let arrays = if row.version == 0 { &mut new } else { &mut old };
        arrays.push(id, row, changed_at_micros);
    }
    if !new.ids.is_empty() {
        new.insert(writes);
    }
    if !old.ids.is_empty() {
        old.update(writes);
    }
    settlements::add(rows, writes);
    Ok(())
}

/// Rows column by column.
#[derive(Default)]
struct Arrays<'a> {
    ids: Vec<Uuid>,
    versions: Vec<i64>,
    sequences: Vec<i64>,
    changed_at: Vec<DateTime<Utc>>,
    states: Vec<i16>,
    destinations: Vec<Option<&'a str>>,
    trackings: Vec<Option<&'a str>>,
    reasons: Vec<Option<i16>>,
}

impl<'a> Arrays<'a> {
    fn push(&mut self, id: OrderId, row: &'a Row, changed_at_micros: i64) {
        let columns = columns_of(&row.state).expect("nothing leads back to a state without a row");
        self.ids.push(id.0);
        self.versions.push(row.version);
        self.sequences.push(row.sequence);
        self.changed_at
            .push(DateTime::from_timestamp_micros(changed_at_micros).unwrap_or_default());
        self.states.push(columns.state);
        self.destinations.push(columns.destination);
        self.trackings.push(columns.tracking);
        self.reasons.push(columns.reason);
    }

    /// A plain insert: should another replica have been faster, the unique key says so, and the batch
    /// runs again with the row that won.
    fn insert(&self, writes: &mut Writes) {
        self.add(
            writes,
            "insert into shipments (order_id, version, sequence, changed_at, state, \
                    destination, tracking_code, refusal_reason) \
             select order_id, 1, sequence, changed_at, state, \
                    destination, tracking_code, refusal_reason \
               from {rows} v",
        );
    }

    /// The destination is kept when the state no longer needs it.
    fn update(&self, writes: &mut Writes) {
        self.add(
            writes,
            "update shipments s \
                set version = s.version + 1, sequence = v.sequence, changed_at = v.changed_at, \
                    state = v.state, \
                    destination = coalesce(v.destination, s.destination), \
                    tracking_code = v.tracking_code, \
                    refusal_reason = v.refusal_reason \
               from {rows} v \
              where s.order_id = v.order_id and s.version = v.version",
        );
    }

    fn add(&self, writes: &mut Writes, statement: &'static str) {
        writes
            .add(statement)
            .column("order_id", &self.ids)
            .column("version", &self.versions)
            .column("sequence", &self.sequences)
            .column("changed_at", &self.changed_at)
            .column("state", &self.states)
            .column("destination", &self.destinations)
            .column("tracking_code", &self.trackings)
            .column("refusal_reason", &self.reasons)
            .expect(self.ids.len(), "shipments");
    }
}
