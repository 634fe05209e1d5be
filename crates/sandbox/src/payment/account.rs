//! The money of one payment: held, then taken or let go, then perhaps given back. Every step checks
//! what a real provider checks, so that a service that asks for too much is caught here.

use super::{Currency, Decline, Outcome, outcome};

/// The money of one payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Account {
    /// The amount that was asked for, in minor units.
    pub amount_minor: i64,
    /// The currency of all its amounts.
    pub currency: Currency,
    /// Where the money is.
    pub status: Status,
    /// What has been taken.
    pub captured_minor: i64,
    /// How much of that has been given back.
    pub refunded_minor: i64,
}

/// Where the money is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Held.
    RequiresCapture,
    /// Taken; what was held beyond it has been let go.
    Succeeded,
    /// Let go without having been taken.
    Canceled,
    /// Never held: the card was declined.
    RequiresPaymentMethod(Decline),
}

impl Status {
    /// The public name of the status.
    pub fn name(self) -> &'static str {
        match self {
            Self::RequiresCapture => "requires_capture",
            Self::Succeeded => "succeeded",
            Self::Canceled => "canceled",
            Self::RequiresPaymentMethod(_) => "requires_payment_method",
        }
    }
}

/// A step that the state of the money does not allow. Nothing was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Amounts are whole and at least 1.
    #[error("the amount must be at least 1")]
    AmountTooSmall,
    /// More than there is.
    #[error("the amount must be at most {most_minor}")]
    AmountTooLarge {
        /// What there is.
        most_minor: i64,
    },
    /// The money is elsewhere.
    #[error("this needs a payment that is {needed}, and it is {actual}")]
    UnexpectedStatus {
        /// Where the step needs the money.
        needed: &'static str,
        /// Where it is.
        actual: &'static str,
    },
    /// Everything that was taken has been given back.
    #[error("the whole amount has already been refunded")]
    AlreadyRefunded,
}

impl Account {
    /// Asks the card's bank to hold `amount_minor`.
    pub fn authorize(token: &str, amount_minor: i64, currency: Currency) -> Result<Self, Refusal> {
        if amount_minor < 1 {
            return Err(Refusal::AmountTooSmall);
        }
        let status = match outcome(token, amount_minor) {
            Outcome::Approved => Status::RequiresCapture,
            Outcome::Declined(reason) => Status::RequiresPaymentMethod(reason),
        };
        Ok(Self { amount_minor, currency, status, captured_minor: 0, refunded_minor: 0 })
    }

    /// Takes what is held, or the named part of it; the rest is let go.
    pub fn capture(self, minor: Option<i64>) -> Result<Self, Refusal> {
        self.require(Status::RequiresCapture)?;
        let captured_minor = within(minor.unwrap_or(self.amount_minor), self.amount_minor)?;
        Ok(Self { status: Status::Succeeded, captured_minor, ..self })
    }

    /// Lets go of what is held.
    pub fn cancel(self) -> Result<Self, Refusal> {
        self.require(Status::RequiresCapture)?;
        Ok(Self { status: Status::Canceled, ..self })
    }

    /// The bank lets go of what is held because nobody took it in time.
    pub fn expire(self) -> Self {
        Self { status: Status::Canceled, ..self }
    }

    /// Gives back what was taken, or the named part of it.
    pub fn refund(self, minor: Option<i64>) -> Result<Self, Refusal> {
        self.require(Status::Succeeded)?;
        let left_minor = self.captured_minor - self.refunded_minor;
        if left_minor == 0 {
            return Err(Refusal::AlreadyRefunded);
        }
        let minor = within(minor.unwrap_or(left_minor), left_minor)?;
        Ok(Self { refunded_minor: self.refunded_minor + minor, ..self })
    }

    /// What the bank held at first.
    pub fn authorized_minor(&self) -> i64 {
        match self.status {
            Status::RequiresPaymentMethod(_) => 0,
            Status::RequiresCapture | Status::Succeeded | Status::Canceled => self.amount_minor,
        }
    }

    /// What the bank still holds.
    pub fn held_minor(&self) -> i64 {
        match self.status {
            Status::RequiresCapture => self.amount_minor,
            Status::Succeeded | Status::Canceled | Status::RequiresPaymentMethod(_) => 0,
        }
    }

    /// What was held and let go without having been taken.
    pub fn voided_minor(&self) -> i64 {
        self.authorized_minor() - self.held_minor() - self.captured_minor
    }

    fn require(&self, needed: Status) -> Result<(), Refusal> {
        if self.status == needed {
            return Ok(());
        }
        Err(Refusal::UnexpectedStatus { needed: needed.name(), actual: self.status.name() })
    }
}

fn within(minor: i64, most_minor: i64) -> Result<i64, Refusal> {
    match minor {
        ..=0 => Err(Refusal::AmountTooSmall),
        _positive if minor > most_minor => Err(Refusal::AmountTooLarge { most_minor }),
        _positive => Ok(minor),
    }
}
