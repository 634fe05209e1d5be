//! The record of what operators said in place of the carrier: only ever added to, in the batch of its
//! effect.

use std::sync::Arc;

use chassis::{Settlement, Writes};
use chrono::{DateTime, Utc};
use events::{OrderId, RefusalReason};
use uuid::Uuid;

use super::{Row, Rows};
use crate::domain::Input;

pub(super) fn add(rows: &Rows, writes: &mut Writes) {
    let mut settlements = Columns::default();
    for (order, row) in rows {
        row.settled.iter().for_each(|settled| settlements.push(*order, row, settled));
    }
    let Columns { orders, outcomes, trackings, refusals, by, reasons, at } = settlements;
    if orders.is_empty() {
        return;
    }
    writes
        .add(
            "insert into settlements (order_id, outcome, tracking_code, refusal_reason, \
                    settled_by, reason, settled_at) \
             select * from {rows} v",
        )
        .column("order_id", &orders)
        .column("outcome", &outcomes)
        .column("tracking_code", &trackings)
        .column("refusal_reason", &refusals)
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
    trackings: Vec<Option<&'a str>>,
    refusals: Vec<Option<&'static str>>,
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
        let (outcome, tracking, refusal) = match outcome {
            Input::Dispatched { tracking } => ("dispatched", Some(tracking.as_str()), None),
            Input::Refused { reason } => ("refused", None, Some(name_of(*reason))),
            Input::Cancelled => ("cancelled", None, None),
            Input::Confirmed { .. } | Input::CancellationRequested => {
                unreachable!("an operator says what the carrier would")
            }
        };
        self.orders.push(order.0);
        self.outcomes.push(outcome);
        self.trackings.push(tracking);
        self.refusals.push(refusal);
        self.by.push(&settlement.by);
        self.reasons.push(&settlement.reason);
        self.at.push(DateTime::from_timestamp_micros(at).unwrap_or_default());
    }
}

fn name_of(reason: RefusalReason) -> &'static str {
    match reason {
        RefusalReason::Unknown => "unknown",
        RefusalReason::DestinationNotServed => "destination_not_served",
        RefusalReason::GoodsNotAccepted => "goods_not_accepted",
    }
}
