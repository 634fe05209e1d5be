//! How a state is stored: a number, and the columns that the state needs. The numbers are in every
//! database there is; a state that goes away leaves a gap.

use chassis::Failure;
use events::RefusalReason;

use crate::domain::State;

const BOOKING: i16 = 1;
const CANCEL_ASKED: i16 = 2;
const DISPATCHED: i16 = 3;
const REFUSED: i16 = 4;
const CANCELLED: i16 = 5;

/// The columns of a state, to be written. What a state does not need is `None`; the destination then
/// stays as it is in the row, for those who look at it.
#[derive(Debug, Default)]
pub(super) struct Columns<'a> {
    pub(super) state: i16,
    pub(super) destination: Option<&'a str>,
    pub(super) tracking: Option<&'a str>,
    pub(super) reason: Option<i16>,
}

/// The columns of a state, as they were read.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct Stored {
    state: i16,
    destination: Option<String>,
    tracking_code: Option<String>,
    refusal_reason: Option<i16>,
}

/// A row that no version of this service can have written.
#[derive(Debug, thiserror::Error)]
#[error("a shipment in state {state} has no readable {column}")]
pub(super) struct Unreadable {
    state: i16,
    column: &'static str,
}

impl From<Unreadable> for Failure {
    fn from(unreadable: Unreadable) -> Self {
        Failure::permanent(unreadable)
    }
}

/// `None` for a shipment that was never heard of, which has no row.
pub(super) fn columns_of(state: &State) -> Option<Columns<'_>> {
    let columns = match state {
        State::New => return None,
        State::Booking { destination } => {
            Columns { state: BOOKING, destination: Some(destination), ..Columns::default() }
        }
        State::CancelAsked { destination } => {
            Columns { state: CANCEL_ASKED, destination: Some(destination), ..Columns::default() }
        }
        State::Dispatched { tracking } => {
            Columns { state: DISPATCHED, tracking: Some(tracking), ..Columns::default() }
        }
        State::Refused { reason } => {
            Columns { state: REFUSED, reason: Some(code_of(*reason)), ..Columns::default() }
        }
        State::Cancelled => Columns { state: CANCELLED, ..Columns::default() },
    };
    Some(columns)
}

impl Stored {
    pub(super) fn state(self) -> Result<State, Unreadable> {
        let code = self.state;
        let unreadable = |column| move || Unreadable { state: code, column };
        let destination = self.destination;
        let destination = || destination.ok_or_else(unreadable("destination"));
        let tracking = self.tracking_code;
        let reason = self.refusal_reason.and_then(reason_of);
        Ok(match code {
            BOOKING => State::Booking { destination: destination()? },
            CANCEL_ASKED => State::CancelAsked { destination: destination()? },
            DISPATCHED => {
                State::Dispatched { tracking: tracking.ok_or_else(unreadable("tracking_code"))? }
            }
            REFUSED => State::Refused { reason: reason.ok_or_else(unreadable("reason"))? },
            CANCELLED => State::Cancelled,
            _unknown => return Err(unreadable("state")()),
        })
    }

    /// Where it goes, or was to go; `None` for a tombstone.
    pub(super) fn destination(&self) -> Option<&str> {
        self.destination.as_deref()
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
