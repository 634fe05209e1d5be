//! The record of what operators said in place of the provider: only ever added to, in the batch of its
//! effect.

use std::sync::Arc;

use chassis::{Settlement, Writes};
use chrono::{DateTime, Utc};
use events::OrderId;
use uuid::Uuid;

use super::{Row, Rows};
use crate::domain::Input;

pub(super) fn add(rows: &Rows, writes: &mut Writes) {
    let mut settlements = Columns::default();
    for (order, row) in rows {
        row.settled.iter().for_each(|settled| settlements.push(*order, row, settled));
    }
    let Columns { orders, outcomes, authorizations, by, reasons, at } = settlements;
    if orders.is_empty() {
        return;
    }
    writes
        .add(
            "insert into settlements \
                    (order_id, outcome, authorization_id, settled_by, reason, settled_at) \
             select * from {rows} v",
        )
        .column("order_id", &orders)
        .column("outcome", &outcomes)
        .column("authorization_id", &authorizations)
        .column("settled_by", &by)
        .column("reason", &reasons)
        .column("settled_at", &at)
        .expect(orders.len(), "settlements");
}

/// Rows column by column.
#[derive(Default)]
struct Columns<'a> {
    orders: Vec<Uuid>,
    outcomes: Vec<&'static str>,
    authorizations: Vec<Option<&'a str>>,
    by: Vec<&'a str>,
    reasons: Vec<&'a str>,
    at: Vec<DateTime<Utc>>,
}

impl<'a> Columns<'a> {
    fn push(
        &mut self,
        order: OrderId,
        row: &Row,
        (outcome, settlement): &'a (Input, Arc<Settlement>),
    ) {
        let Some(at) = row.changed_at_micros else { return };
        let (outcome, authorization) = match outcome {
            Input::Authorized { authorization } => ("authorized", Some(authorization.as_str())),
            Input::Declined { .. } => ("declined", None),
            Input::Voided => ("voided", None),
            Input::Captured => ("captured", None),
            Input::Refunded => ("refunded", None),
            Input::Placed { .. } | Input::Cancelled | Input::Shipped | Input::Returned => {
                unreachable!("an operator says what the provider would")
            }
        };
        self.orders.push(order.0);
        self.outcomes.push(outcome);
        self.authorizations.push(authorization);
        self.by.push(&settlement.by);
        self.reasons.push(&settlement.reason);
        self.at.push(DateTime::from_timestamp_micros(at).unwrap_or_default());
    }
}
