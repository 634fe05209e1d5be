//! What the provider and the carrier know, and the only way to change it: an act is applied once, and
//! gets the same answer however often it is repeated. In memory and without I/O, so that a replay of
//! the journal's acts builds the same ledger again.

mod act;
mod figures;

#[cfg(test)]
mod tests;

pub use act::{
    Applied, Entry, PaymentAct, PaymentStep, Receipt, RefundMade, RefundStatus, ShipmentAct,
};
pub use figures::{Figures, OrderFigures, Page, PaymentFigures, ShipmentFigures, Totals};

use std::collections::BTreeMap;
use std::num::NonZeroU16;

use uuid::Uuid;

use crate::carrier::{self, Parcel, RefusedCall};
use crate::manner::Manner;
use crate::payment::{self, Account, IntentId, Refusal};

/// The ledger of the provider and the carrier. Ordered maps, because they grow without the pause in
/// which a hash map moves everything it holds, and because pages are read in order.
#[derive(Debug, Default)]
pub struct Ledger {
    orders: BTreeMap<Uuid, Book>,
    keys: BTreeMap<Box<str>, Known>,
    totals: Totals,
}

/// Everything that was done for one order.
#[derive(Debug, Default)]
struct Book {
    /// The payment `nth` is at `nth - 1`. More than one means that the order was charged twice.
    intents: Vec<Intent>,
    parcel: Option<Parcel>,
    /// Whether a broken card has broken the first call.
    broken: bool,
}

#[derive(Debug)]
struct Intent {
    token: Box<str>,
    created_seconds: i64,
    account: Account,
    /// The amount of each.
    refunds: Vec<i64>,
}

/// What an idempotency key stands for: the call, and the answer at the time.
#[derive(Debug, Clone, Copy)]
struct Known {
    at_seconds: i64,
    fingerprint: u64,
    answer: Answer,
}

/// The answer stored under a key.
#[derive(Debug, Clone, Copy)]
enum Answer {
    Done(Done),
    /// It was carried out, and answered with a server error.
    BrokenAfter(Done),
    /// It was not carried out, and answered with a server error.
    Broken,
}

/// A step of a payment, as it was at the time.
#[derive(Debug, Clone, Copy)]
struct Done {
    id: IntentId,
    account: Account,
    refund: Option<RefundMade>,
}

/// A call to the provider that was not carried out. It is not remembered under its key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PaymentError {
    /// The key belongs to another call.
    #[error("the idempotency key was used before, for a call with other parameters")]
    KeyReused,
    /// There is no such payment.
    #[error("no such payment intent: {0}")]
    UnknownIntent(IntentId),
    /// The order has as many payments or refunds as can be numbered.
    #[error("the order has too many payments or refunds")]
    TooMany,
    /// A test card causes it. It is stored under its key.
    #[error("something went wrong")]
    Broken {
        /// Whether it is the first answer under the key.
        first: bool,
    },
    /// The state of the money does not allow it.
    #[error("{refusal}")]
    Refused {
        /// Why.
        refusal: Refusal,
        /// The current payment, which shows whether the step was done before.
        payment: Option<Box<Receipt>>,
    },
}

impl PaymentError {
    /// Whether the ledger has changed: a test card broke its first call, or let its hold expire.
    pub fn changes(&self) -> bool {
        match self {
            PaymentError::Broken { first } => *first,
            PaymentError::Refused { payment, .. } => {
                payment.as_ref().is_some_and(|payment| &*payment.token == payment::TOK_HOLD_EXPIRES)
            }
            PaymentError::KeyReused | PaymentError::UnknownIntent(_) | PaymentError::TooMany => {
                false
            }
        }
    }
}

impl From<Refusal> for PaymentError {
    fn from(refusal: Refusal) -> Self {
        PaymentError::Refused { refusal, payment: None }
    }
}

impl Ledger {
    /// Carries out a step of a payment, or returns what it did when it was carried out before.
    pub fn pay(&mut self, act: &PaymentAct) -> Result<Applied<Receipt>, PaymentError> {
        let fingerprint = act.step.fingerprint();
        let (answer, first) = match self.known(act) {
            Some(known) if known.fingerprint == fingerprint => (known.answer, false),
            Some(_other_call) => return Err(PaymentError::KeyReused),
            None => {
                let answer = self.answer(act)?;
                let known = Known { at_seconds: act.at_seconds, fingerprint, answer };
                self.keys.insert(act.key.as_str().into(), known);
                (answer, true)
            }
        };
        match answer {
            Answer::Broken => Err(PaymentError::Broken { first }),
            Answer::BrokenAfter(done) => self.applied(done, first, true),
            Answer::Done(done) => self.applied(done, first, false),
        }
    }

    fn applied(
        &self,
        done: Done,
        first: bool,
        broken: bool,
    ) -> Result<Applied<Receipt>, PaymentError> {
        let answer = self.receipt(done)?;
        Ok(Applied { manner: payment::manner(&answer.token), answer, first, broken })
    }

    /// What is stored under the key, unless it is forgotten.
    fn known(&self, act: &PaymentAct) -> Option<Known> {
        let known = self.keys.get(act.key.as_str())?;
        (known.at_seconds >= act.keys_since_seconds).then_some(*known)
    }

    /// Carries it out in the way of the test card.
    fn answer(&mut self, act: &PaymentAct) -> Result<Answer, PaymentError> {
        let broken = match &act.step {
            PaymentStep::Authorize { order, token, .. } => self.breaks(*order, token),
            PaymentStep::Capture { .. }
            | PaymentStep::Cancel { .. }
            | PaymentStep::Refund { .. } => None,
        };
        if broken == Some(payment::TOK_BROKEN) {
            return Ok(Answer::Broken);
        }
        let (id, refund) = self.execute(act).map_err(|error| match error {
            PaymentError::Refused { refusal, .. } => {
                let payment = act.step.intent().and_then(|id| self.payment(id).ok());
                PaymentError::Refused { refusal, payment: payment.map(Box::new) }
            }
            other => other,
        })?;
        let done = Done { id, account: self.intent(id)?.account, refund };
        Ok(if broken.is_some() { Answer::BrokenAfter(done) } else { Answer::Done(done) })
    }

    /// The broken card, when it is used for an order for the first time.
    fn breaks(&mut self, order: Uuid, token: &str) -> Option<&'static str> {
        let broken = [payment::TOK_BROKEN, payment::TOK_BROKEN_AFTER];
        let broken = broken.into_iter().find(|card| *card == token)?;
        let first = !std::mem::replace(&mut self.book(order).broken, true);
        first.then_some(broken)
    }

    /// Carries out a step of a shipment, or returns what it did when it was carried out before.
    pub fn ship(&mut self, act: &ShipmentAct) -> Result<Applied<Parcel>, RefusedCall> {
        let known = self.parcel(act.order());
        // A booking that finds a cancellation, or the reverse, returns what was done before.
        let first = known.is_none();
        let (parcel, manner) = match act {
            ShipmentAct::Book { destination, .. } => {
                (Parcel::book(known, destination)?, carrier::manner(destination))
            }
            ShipmentAct::Cancel { .. } => (Parcel::cancel(known), Manner::Prompt),
        };
        if first {
            self.totals.ship(&parcel);
            self.book(act.order()).parcel = Some(parcel.clone());
        }
        Ok(Applied { answer: parcel, first, manner, broken: false })
    }

    /// How the step will be answered, and `None` when it was carried out before.
    pub fn manner_of_payment(&self, act: &PaymentAct) -> Option<Manner> {
        if self.known(act).is_some() {
            return None;
        }
        match &act.step {
            PaymentStep::Authorize { token, .. } => Some(payment::manner(token)),
            PaymentStep::Capture { intent, .. }
            | PaymentStep::Cancel { intent }
            | PaymentStep::Refund { intent, .. } => {
                self.intent(*intent).ok().map(|intent| payment::manner(&intent.token))
            }
        }
    }

    /// How the step will be answered, and `None` when it was carried out before.
    pub fn manner_of_shipment(&self, act: &ShipmentAct) -> Option<Manner> {
        match (self.parcel(act.order()), act) {
            (Some(_), _) => None,
            (None, ShipmentAct::Book { destination, .. }) => Some(carrier::manner(destination)),
            (None, ShipmentAct::Cancel { .. }) => Some(Manner::Prompt),
        }
    }

    /// A payment as it is now.
    pub fn payment(&self, id: IntentId) -> Result<Receipt, PaymentError> {
        let account = self.intent(id)?.account;
        self.receipt(Done { id, account, refund: None })
    }

    /// The payments of an order, in their order.
    pub fn payments(&self, order: Uuid) -> Vec<Receipt> {
        let count = self.orders.get(&order).map_or(0, |book| book.intents.len());
        let ids = (1..=count).filter_map(|nth| NonZeroU16::new(u16::try_from(nth).ok()?));
        ids.filter_map(|nth| self.payment(IntentId { order, nth }).ok()).collect()
    }

    /// A refund as it is now.
    pub fn refund(&self, id: IntentId, nth: u16) -> Option<Receipt> {
        let intent = self.intent(id).ok()?;
        let minor = *intent.refunds.get(usize::from(nth).checked_sub(1)?)?;
        let status = match &*intent.token {
            payment::TOK_REFUND_FAILS => RefundStatus::Failed,
            _settled => RefundStatus::Succeeded,
        };
        let refund = Some(RefundMade { nth, minor, status });
        self.receipt(Done { id, account: intent.account, refund }).ok()
    }

    /// The refunds of a payment as they are now, the latest first.
    pub fn refunds(&self, id: IntentId) -> Result<Vec<Receipt>, PaymentError> {
        let count = u16::try_from(self.intent(id)?.refunds.len()).unwrap_or(u16::MAX);
        Ok((1..=count).rev().filter_map(|nth| self.refund(id, nth)).collect())
    }

    /// A shipment as it is now.
    pub fn parcel(&self, order: Uuid) -> Option<&Parcel> {
        self.orders.get(&order)?.parcel.as_ref()
    }

    /// The sums over all orders.
    pub fn totals(&self) -> &Totals {
        &self.totals
    }

    fn execute(
        &mut self,
        act: &PaymentAct,
    ) -> Result<(IntentId, Option<RefundMade>), PaymentError> {
        match &act.step {
            PaymentStep::Authorize { order, token, minor, currency } => {
                let account = Account::authorize(token, *minor, *currency)?;
                let count = self.orders.get(order).map_or(0, |book| book.intents.len());
                let nth = u16::try_from(count + 1).map_err(|_| PaymentError::TooMany)?;
                let nth = NonZeroU16::new(nth).expect("one more than a count is not zero");
                self.totals.pay(None, &account);
                self.book(*order).intents.push(Intent {
                    token: token.as_str().into(),
                    created_seconds: act.at_seconds,
                    account,
                    refunds: Vec::new(),
                });
                Ok((IntentId { order: *order, nth }, None))
            }
            PaymentStep::Capture { intent, minor } => {
                let before = self.intent(*intent)?;
                if &*before.token == payment::TOK_HOLD_EXPIRES {
                    let expired = before.account.expire();
                    self.change(*intent, expired)?;
                }
                self.change(*intent, self.intent(*intent)?.account.capture(*minor)?)
            }
            PaymentStep::Cancel { intent } => {
                self.change(*intent, self.intent(*intent)?.account.cancel()?)
            }
            PaymentStep::Refund { intent, minor } => {
                let before = self.intent(*intent)?;
                let nth = u16::try_from(before.refunds.len() + 1);
                let nth = nth.map_err(|_| PaymentError::TooMany)?;
                let after = before.account.refund(*minor)?;
                let minor = after.refunded_minor - before.account.refunded_minor;
                let (status, comes_back) = match &*before.token {
                    payment::TOK_REFUND_FAILS => (RefundStatus::Pending, true),
                    payment::TOK_REFUND_PENDING => (RefundStatus::Pending, false),
                    _other => (RefundStatus::Succeeded, false),
                };
                if !comes_back {
                    self.change(*intent, after)?;
                }
                self.intent_mut(*intent)?.refunds.push(minor);
                Ok((*intent, Some(RefundMade { nth, minor, status })))
            }
        }
    }

    fn change(
        &mut self,
        id: IntentId,
        after: Account,
    ) -> Result<(IntentId, Option<RefundMade>), PaymentError> {
        let before = std::mem::replace(&mut self.intent_mut(id)?.account, after);
        self.totals.pay(Some(&before), &after);
        Ok((id, None))
    }

    fn receipt(&self, known: Done) -> Result<Receipt, PaymentError> {
        let intent = self.intent(known.id)?;
        Ok(Receipt {
            id: known.id,
            token: intent.token.clone(),
            created_seconds: intent.created_seconds,
            account: known.account,
            refund: known.refund,
        })
    }

    fn book(&mut self, order: Uuid) -> &mut Book {
        self.orders.entry(order).or_insert_with(|| {
            self.totals.orders += 1;
            Book::default()
        })
    }

    fn intent(&self, id: IntentId) -> Result<&Intent, PaymentError> {
        let book = self.orders.get(&id.order);
        book.and_then(|book| book.intents.get(place(id))).ok_or(PaymentError::UnknownIntent(id))
    }

    fn intent_mut(&mut self, id: IntentId) -> Result<&mut Intent, PaymentError> {
        let book = self.orders.get_mut(&id.order);
        book.and_then(|book| book.intents.get_mut(place(id))).ok_or(PaymentError::UnknownIntent(id))
    }
}

fn place(id: IntentId) -> usize {
    usize::from(id.nth.get()) - 1
}
