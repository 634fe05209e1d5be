//! The payment provider inside the process. An order has one payment, and a step of it is its own
//! idempotency key.

use uuid::Uuid;

use super::recent::Recent;
use super::{Desk, Done, Failure, Timing};
use crate::manner::Manner;
use crate::payment::{self, Account, Currency, Decline, IntentId, Refusal, Status};

/// The payment provider inside the process.
#[derive(Debug)]
pub struct Provider {
    desk: Desk<Payment>,
}

/// What the bank says to an authorisation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authorisation {
    /// The amount is held.
    Authorised {
        /// The id of the payment.
        id: String,
    },
    /// Nothing is held.
    Declined(Decline),
}

#[derive(Debug, Clone, Copy)]
struct Payment {
    account: Account,
    manner: Manner,
}

impl Provider {
    /// A provider that answers with that timing.
    pub fn new(timing: Timing) -> Self {
        Self { desk: Desk::new(timing) }
    }

    /// Holds an amount.
    pub async fn authorise(
        &self,
        order: Uuid,
        token: &str,
        minor: i64,
        currency: Currency,
    ) -> Result<Authorisation, Failure> {
        let asked = Account::authorise(token, minor, currency)?;
        let manner = payment::manner(token);
        let manner_now =
            self.desk.look(order, |known| if known.is_some() { Manner::Prompt } else { manner });
        let step = move |recent: &mut Recent<Payment>| {
            let known = recent.get(order).copied();
            if known.is_some_and(|known| !same_call(&known, &asked, manner)) {
                return Err(Failure::OtherCall);
            }
            if known.is_none() {
                recent.put(order, Payment { account: asked, manner });
            }
            let answer = match asked.status {
                Status::RequiresPaymentMethod(reason) => Authorisation::Declined(reason),
                Status::RequiresCapture | Status::Succeeded | Status::Canceled => {
                    Authorisation::Authorised { id: IntentId::first(order).to_string() }
                }
            };
            Ok(Done { answer, first: known.is_none(), manner })
        };
        self.desk.step(manner_now, step).await
    }

    /// Takes an amount that is held.
    pub async fn capture(
        &self,
        order: Uuid,
        minor: i64,
        currency: Currency,
    ) -> Result<(), Failure> {
        let believed = Account::authorise(payment::TOK_VISA, minor, currency)?;
        let done = move |a: &Account| a.status == Status::Succeeded && a.captured_minor == minor;
        self.move_money(order, believed, done, move |a| a.capture(Some(minor))).await
    }

    /// Lets go what is held.
    pub async fn void(&self, order: Uuid, minor: i64, currency: Currency) -> Result<(), Failure> {
        let believed = Account::authorise(payment::TOK_VISA, minor, currency)?;
        let done = |a: &Account| a.status == Status::Canceled;
        self.move_money(order, believed, done, Account::cancel).await
    }

    /// Gives back an amount that was taken.
    pub async fn refund(&self, order: Uuid, minor: i64, currency: Currency) -> Result<(), Failure> {
        let believed =
            Account::authorise(payment::TOK_VISA, minor, currency)?.capture(Some(minor))?;
        let done = move |a: &Account| a.refunded_minor == minor;
        self.move_money(order, believed, done, move |a| a.refund(Some(minor))).await
    }

    /// A step after the authorisation. `believed` is the money as the caller tells it, for an order
    /// that is not remembered.
    async fn move_money(
        &self,
        order: Uuid,
        believed: Account,
        done: impl Fn(&Account) -> bool + Send + 'static,
        step: impl FnOnce(Account) -> Result<Account, Refusal> + Send + 'static,
    ) -> Result<(), Failure> {
        let manner_now = self.desk.look(order, |known| match known {
            Some(known) if !done(&known.account) => known.manner,
            Some(_) | None => Manner::Prompt,
        });
        let take = move |recent: &mut Recent<Payment>| {
            let believed = Payment { account: believed, manner: Manner::Prompt };
            let known = recent.get(order).copied().unwrap_or(believed);
            let first = !done(&known.account);
            if first {
                recent.put(order, Payment { account: step(known.account)?, ..known });
            }
            Ok(Done { answer: (), first, manner: known.manner })
        };
        self.desk.step(manner_now, take).await
    }
}

/// Whether an authorisation that is remembered is the one that is asked for. The outcome and the
/// manner stand for the token, which is not kept.
fn same_call(known: &Payment, asked: &Account, manner: Manner) -> bool {
    let declined = |account: &Account| match account.status {
        Status::RequiresPaymentMethod(reason) => Some(reason),
        Status::RequiresCapture | Status::Succeeded | Status::Canceled => None,
    };
    // A payment that was only believed so far does not know its manner.
    let same_manner = known.manner == manner || known.manner == Manner::Prompt;
    known.account.amount_minor == asked.amount_minor
        && known.account.currency == asked.currency
        && declined(&known.account) == declined(asked)
        && same_manner
}
