//! How a reservation is stored: a number for its state, and the units it holds. Existing databases contain the
//! numbers; a state that goes away leaves a gap.

use chassis::{Column, Columns, Failure, Stored, Table};
use events::OrderId;
use sqlx::Row;
use sqlx::postgres::PgRow;
use sqlx::types::Json;

use crate::domain::{Lines, State};

const RESERVED: i16 = 1;
const REJECTED: i16 = 2;
const RELEASED: i16 = 3;
const DEDUCTED: i16 = 4;
const RETURNED: i16 = 5;

impl Stored for State {
    type Key = OrderId;

    const TABLE: Table = Table {
        name: "reservations",
        key: "order_id",
        is_dated: true,
        columns: &[Column::set("state"), Column::keep("lines")],
    };

    fn read(row: &PgRow) -> Result<Self, Failure> {
        let state: i16 = row.try_get("state")?;
        let lines = || {
            let lines: Option<Json<Lines>> = row.try_get("lines")?;
            lines.map(|lines| lines.0).ok_or_else(|| unreadable(state, "lines"))
        };
        match state {
            RESERVED => Ok(State::Reserved { lines: lines()? }),
            REJECTED => Ok(State::Rejected),
            RELEASED => Ok(State::Released),
            DEDUCTED => Ok(State::Deducted { lines: lines()? }),
            RETURNED => Ok(State::Returned),
            _unknown => Err(unreadable(state, "state")),
        }
    }

    fn write<'w>(columns: Columns<'w>, states: &[&Self]) -> Columns<'w> {
        let (codes, lines): (Vec<i16>, Vec<Option<Json<&Lines>>>) =
            states.iter().map(|state| values_of(state)).unzip();
        columns.column("state", codes).column("lines", lines)
    }

    fn remembered(self) -> Option<Self> {
        match self {
            // Its order will soon take the units or give them back.
            State::Reserved { .. } => Some(self),
            State::New
            | State::Rejected
            | State::Released
            | State::Deducted { .. }
            | State::Returned => None,
        }
    }
}

fn values_of(state: &State) -> (i16, Option<Json<&Lines>>) {
    match state {
        State::New => unreachable!("nothing leads back to a state without a row"),
        State::Reserved { lines } => (RESERVED, Some(Json(lines))),
        State::Rejected => (REJECTED, None),
        State::Released => (RELEASED, None),
        State::Deducted { lines } => (DEDUCTED, Some(Json(lines))),
        State::Returned => (RETURNED, None),
    }
}

/// A row that no version of this service can have written.
fn unreadable(state: i16, column: &str) -> Failure {
    Failure::permanent(format!("a reservation in state {state} has no readable {column}"))
}
