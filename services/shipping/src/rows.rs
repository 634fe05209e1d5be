//! How a shipment is stored: a number for its state, and the columns that the state needs. And the record of
//! what operators said in place of the carrier.

use chassis::{Column, Columns, Failure, Stored, Table};
use events::OrderId;
use sqlx::Row as _;
use sqlx::postgres::PgRow;

use crate::domain::{Input, State};

chassis::words! {
    /// Where the parcel is.
    pub(crate) enum ShipmentState {
        1 Booking = "booking";
        /// The order is to be cancelled; what comes first at the carrier decides.
        2 CancelAsked = "cancel_asked";
        3 Dispatched = "dispatched";
        4 Refused = "refused";
        5 Cancelled = "cancelled";
    }
}

chassis::words! {
    /// Why the carrier does not deliver.
    pub(crate) enum RefusalReason {
        0 Unknown = "unknown";
        1 DestinationNotServed = "destination_not_served";
        2 GoodsNotAccepted = "goods_not_accepted";
    }
}

chassis::same_words! {
    RefusalReason = events::RefusalReason { Unknown, DestinationNotServed, GoodsNotAccepted }
}

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
        let code: i16 = row.try_get("state")?;
        let unreadable = |column| Failure::permanent(Unreadable { state: code, column });
        let needed = |column| {
            let found: Option<String> = row.try_get(column)?;
            found.ok_or_else(|| unreadable(column))
        };
        let state = ShipmentState::of_code(code).ok_or_else(|| unreadable("state"))?;
        Ok(match state {
            ShipmentState::Booking => State::Booking { destination: needed("destination")? },
            ShipmentState::CancelAsked => {
                State::CancelAsked { destination: needed("destination")? }
            }
            ShipmentState::Dispatched => State::Dispatched { tracking: needed("tracking_code")? },
            ShipmentState::Refused => {
                let code: Option<i16> = row.try_get("refusal_reason")?;
                let reason = code.and_then(RefusalReason::of_code);
                let reason = reason.ok_or_else(|| unreadable("refusal_reason"))?;
                State::Refused { reason: reason.into() }
            }
            ShipmentState::Cancelled => State::Cancelled,
        })
    }

    fn write<'w>(columns: Columns<'w>, states: &[&Self]) -> Columns<'w> {
        let rows: Vec<Row<'_>> = states.iter().map(|state| Row::of(state)).collect();
        columns
            .each("state", &rows, |row| row.state.code())
            .each("destination", &rows, |row| row.destination)
            .each("tracking_code", &rows, |row| row.tracking)
            .each("refusal_reason", &rows, |row| row.refusal.map(RefusalReason::code))
    }

    fn remembered(self) -> Option<Self> {
        match self {
            // The carrier's answer will come soon.
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

/// The columns of a state.
pub(crate) struct Row<'a> {
    pub state: ShipmentState,
    pub destination: Option<&'a str>,
    pub tracking: Option<&'a str>,
    pub refusal: Option<RefusalReason>,
}

impl<'a> Row<'a> {
    pub(crate) fn of(state: &'a State) -> Self {
        let plain = |state| Row { state, destination: None, tracking: None, refusal: None };
        match state {
            State::New => unreachable!("nothing leads back to a state without a row"),
            State::Booking { destination } => {
                Row { destination: Some(destination), ..plain(ShipmentState::Booking) }
            }
            State::CancelAsked { destination } => {
                Row { destination: Some(destination), ..plain(ShipmentState::CancelAsked) }
            }
            State::Dispatched { tracking } => {
                Row { tracking: Some(tracking), ..plain(ShipmentState::Dispatched) }
            }
            State::Refused { reason } => {
                Row { refusal: Some((*reason).into()), ..plain(ShipmentState::Refused) }
            }
            State::Cancelled => plain(ShipmentState::Cancelled),
        }
    }
}

chassis::words! {
    /// What the carrier would have answered.
    #[schema(as = SettlementOutcome)]
    pub(crate) enum Outcome {
        /// The parcel is under way, with this carrier or by another way.
        Dispatched = "dispatched";
        /// It is not delivered, and never will be.
        Refused = "refused";
        /// It will not be dispatched, as was asked.
        Cancelled = "cancelled";
    }
}

/// These columns of `settlements` record what operators said.
pub(crate) const SETTLED: &[&str] = &["outcome", "tracking_code", "refusal_reason"];

/// Their values.
pub(crate) fn settled(input: &Input) -> Vec<Option<&str>> {
    let (outcome, tracking, refusal): (Outcome, Option<&str>, Option<&str>) = match input {
        Input::Dispatched { tracking } => (Outcome::Dispatched, Some(tracking), None),
        Input::Refused { reason } => {
            (Outcome::Refused, None, Some(RefusalReason::from(*reason).name()))
        }
        Input::Cancelled => (Outcome::Cancelled, None, None),
        Input::Confirmed { .. } | Input::CancellationRequested => {
            unreachable!("an operator says what the carrier would")
        }
    };
    vec![Some(outcome.name()), tracking, refusal]
}
