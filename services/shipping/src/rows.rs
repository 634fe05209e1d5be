//! How a shipment is stored: a number for its state, and the columns that the state needs. The numbers are in
//! every database there is; a state that goes away leaves a gap. And the record of what operators said in place
//! of the carrier.

use chassis::{Column, Columns, Failure, Settled, Stored, Table, Writes};
use chrono::{DateTime, Utc};
use events::{OrderId, RefusalReason};
use sqlx::Row;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use crate::domain::{Input, State};

const BOOKING: i16 = 1;
const CANCEL_ASKED: i16 = 2;
const DISPATCHED: i16 = 3;
const REFUSED: i16 = 4;
const CANCELLED: i16 = 5;

impl Stored for State {
    type Key = OrderId;

    const TABLE: Table = Table {
        name: "shipments",
        key: "order_id",
        is_dated: true,
        columns: &[
            Column::set("state"),
            Column::keep("destination"),
            Column::set("tracking_code"),
            Column::set("refusal_reason"),
        ],
    };

    fn read(row: &PgRow) -> Result<Self, Failure> {
        let state = row.try_get("state")?;
        let unreadable = |column| Failure::permanent(Unreadable { state, column });
        let needed = |column| {
            let found: Option<String> = row.try_get(column)?;
            found.ok_or_else(|| unreadable(column))
        };
        Ok(match state {
            BOOKING => State::Booking { destination: needed("destination")? },
            CANCEL_ASKED => State::CancelAsked { destination: needed("destination")? },
            DISPATCHED => State::Dispatched { tracking: needed("tracking_code")? },
            REFUSED => {
                let code: Option<i16> = row.try_get("refusal_reason")?;
                let reason = code.and_then(reason_of);
                State::Refused { reason: reason.ok_or_else(|| unreadable("refusal_reason"))? }
            }
            CANCELLED => State::Cancelled,
            _unknown => return Err(unreadable("state")),
        })
    }

    fn write<'w>(columns: Columns<'w>, states: &[&Self]) -> Columns<'w> {
        let mut values = Values::default();
        states.iter().for_each(|state| values.push(state));
        columns
            .column("state", values.states)
            .column("destination", values.destinations)
            .column("tracking_code", values.trackings)
            .column("refusal_reason", values.reasons)
    }

    fn remembered(self) -> Option<Self> {
        match self {
            // The carrier's answer is to come soon.
            State::Booking { .. } | State::CancelAsked { .. } => Some(self),
            State::New | State::Dispatched { .. } | State::Refused { .. } | State::Cancelled => {
                None
            }
        }
    }
}

/// A row that no version of this service can have written.
#[derive(Debug, thiserror::Error)]
#[error("a shipment in state {state} has no readable {column}")]
struct Unreadable {
    state: i16,
    column: &'static str,
}

/// States column by column.
#[derive(Default)]
struct Values<'a> {
    states: Vec<i16>,
    destinations: Vec<Option<&'a str>>,
    trackings: Vec<Option<&'a str>>,
    reasons: Vec<Option<i16>>,
}

impl<'a> Values<'a> {
    fn push(&mut self, state: &'a State) {
        let (code, destination, tracking, reason) = match state {
            State::New => unreachable!("nothing leads back to a state without a row"),
            State::Booking { destination } => (BOOKING, Some(&**destination), None, None),
            State::CancelAsked { destination } => (CANCEL_ASKED, Some(&**destination), None, None),
            State::Dispatched { tracking } => (DISPATCHED, None, Some(&**tracking), None),
            State::Refused { reason } => (REFUSED, None, None, Some(code_of(*reason))),
            State::Cancelled => (CANCELLED, None, None, None),
        };
        self.states.push(code);
        self.destinations.push(destination);
        self.trackings.push(tracking);
        self.reasons.push(reason);
    }
}

fn code_of(reason: RefusalReason) -> i16 {
    match reason {
        RefusalReason::Unknown => 0,
        RefusalReason::DestinationNotServed => 1,
        RefusalReason::GoodsNotAccepted => 2,
    }
}

fn reason_of(code: i16) -> Option<RefusalReason> {
    match code {
        0 => Some(RefusalReason::Unknown),
        1 => Some(RefusalReason::DestinationNotServed),
        2 => Some(RefusalReason::GoodsNotAccepted),
        _unknown => None,
    }
}

/// Records what operators said. The table is only ever added to.
pub(crate) fn keep_settlements(settled: &[Settled<OrderId, Input>], writes: &mut Writes) {
    writes
        .add(
            "insert into settlements (order_id, outcome, tracking_code, refusal_reason, \
                    settled_by, reason, settled_at) \
             select * from {rows} v",
        )
        .column("order_id", settled.iter().map(|s| s.key.0).collect::<Vec<Uuid>>())
        .column("outcome", settled.iter().map(|s| said(s).0).collect::<Vec<_>>())
        .column("tracking_code", settled.iter().map(|s| said(s).1).collect::<Vec<_>>())
        .column("refusal_reason", settled.iter().map(|s| said(s).2).collect::<Vec<_>>())
        .column("settled_by", settled.iter().map(|s| &*s.settlement.by).collect::<Vec<_>>())
        .column("reason", settled.iter().map(|s| &*s.settlement.reason).collect::<Vec<_>>())
        .column("settled_at", settled.iter().map(Settled::at).collect::<Vec<DateTime<Utc>>>())
        .expect(settled.len(), "settlements");
}

/// The outcome, the tracking code and the reason of a refusal.
fn said(settled: &Settled<OrderId, Input>) -> (&'static str, Option<&str>, Option<&'static str>) {
    match &settled.input {
        Input::Dispatched { tracking } => ("dispatched", Some(tracking), None),
        Input::Refused { reason } => ("refused", None, Some(name_of(*reason))),
        Input::Cancelled => ("cancelled", None, None),
        Input::Confirmed { .. } | Input::CancellationRequested => {
            unreachable!("an operator says what the carrier would")
        }
    }
}

fn name_of(reason: RefusalReason) -> &'static str {
    match reason {
        RefusalReason::Unknown => "unknown",
        RefusalReason::DestinationNotServed => "destination_not_served",
        RefusalReason::GoodsNotAccepted => "goods_not_accepted",
    }
}
