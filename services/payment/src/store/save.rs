//! Writes what a batch changed: one statement for new rows, one for those that were there, in the
//! order of the ids, so that replicas that touch the same payments do not deadlock.

use chassis::{Failure, Writes};
use chrono::{DateTime, Utc};
use events::OrderId;
use uuid::Uuid;

use super::columns::columns_of;
use super::{Row, Rows, settlements};

pub fn save(rows: &Rows, writes: &mut Writes) -> Result<(), Failure> {
    if rows.values().any(|row| row.unread && row.changed_at_micros.is_none()) {
        return Err(Failure::unread("payments"));
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
    amounts: Vec<Option<i64>>,
    currencies: Vec<Option<&'a str>>,
    tokens: Vec<Option<&'a str>>,
    authorizations: Vec<Option<&'a str>>,
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
        self.amounts.push(columns.amount.map(|amount| amount.minor));
        self.currencies.push(columns.amount.map(|amount| amount.currency.as_str()));
        self.tokens.push(columns.token);
        self.authorizations.push(columns.authorization);
        self.reasons.push(columns.reason);
    }

    /// A plain insert: should another replica have been faster, the unique key says so, and the batch
    /// runs again with the row that won.
    fn insert(&self, writes: &mut Writes) {
        self.add(
            writes,
            "insert into payments (order_id, version, sequence, changed_at, state, \
                    amount_minor, currency, payment_token, authorization_id, decline_reason) \
             select order_id, 1, sequence, changed_at, state, \
                    amount_minor, currency, payment_token, authorization_id, decline_reason \
               from {rows} v",
        );
    }

    /// Amount and authorization are kept when the state no longer needs them, the token is not.
    fn update(&self, writes: &mut Writes) {
        self.add(
            writes,
            "update payments p \
                set version = p.version + 1, sequence = v.sequence, changed_at = v.changed_at, \
                    state = v.state, \
                    amount_minor = coalesce(v.amount_minor, p.amount_minor), \
                    currency = coalesce(v.currency, p.currency), \
                    payment_token = v.payment_token, \
                    authorization_id = coalesce(v.authorization_id, p.authorization_id), \
                    decline_reason = v.decline_reason \
               from {rows} v \
              where p.order_id = v.order_id and p.version = v.version",
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
            .column("amount_minor", &self.amounts)
            .column("currency", &self.currencies)
            .column("payment_token", &self.tokens)
            .column("authorization_id", &self.authorizations)
            .column("decline_reason", &self.reasons)
            .expect(self.ids.len(), "payments");
    }
}
