//! Holding an amount once, whatever the provider forgets or breaks. All other steps are safe because a
//! provider knows the state of the money; a hold is not: asking for it again under a forgotten key, or
//! under another one, makes a second hold. So before doing that, we ask the provider what it has for the
//! order.

use std::time::Instant;

use chassis::Unanswered;
use events::{DeclineReason, OrderId};

use super::answer::{Answer, Body, ErrorBody, Found, Refusal};
use super::{Http, KEYS_MAX, key, stuck};
use crate::domain::{Input, Step};

/// The longest id that is kept; by convention they have about thirty bytes.
const ID_BYTES_MAX: usize = 255;

/// Nothing is held, and the provider does not say why.
const DECLINED: Input = Input::Declined { reason: DeclineReason::Unknown };

impl Http {
    /// Asks for a hold, under as many keys as it takes.
    pub(super) async fn hold(
        &self,
        order: OrderId,
        form: &[(&str, &str)],
    ) -> Result<Input, Unanswered> {
        let mut last = None;
        for nth in 1..=KEYS_MAX {
            let key = key(order, Step::Authorize, nth);
            match self.post(&["v1", "payment_intents"], &key, form).await? {
                Answer::Stored(failure) => {
                    if let Some(found) = self.find(order).await? {
                        return Ok(found);
                    }
                    if !self.would_be_found(order) {
                        return Err(failure);
                    }
                    last = Some(failure);
                }
                Answer::Done(body) => return authorized(order, body),
                Answer::Refused(refusal) => return refused(order, refusal),
            }
        }
        Err(last.expect("there is a first key"))
    }

    /// What the provider has for an order, by the metadata of its intents; `None` where it was never asked
    /// for a hold.
    pub(super) async fn find(&self, order: OrderId) -> Result<Option<Input>, Unanswered> {
        let query = format!("metadata['order_id']:'{order}'");
        let path = ["v1", "payment_intents", "search"];
        let Found { data } = self.get(&path, &[("query", &query)]).await?;
        let Some(first) = data.first() else { return Ok(None) };
        let reason =
            first.last_payment_error.as_ref().map_or(DeclineReason::Unknown, ErrorBody::reason);
        let (held, others): (Vec<Body>, Vec<Body>) = data.into_iter().partition(Body::holds);
        if held.len() > 1 {
            let ids: Vec<_> = held.iter().map(|body| &body.id).collect();
            tracing::error!(%order, ?ids, "the payment provider holds the amount more than once");
        }
        if let Some(body) = held.into_iter().next() {
            return authorized(order, body).map(Some);
        }
        match others.into_iter().find(|body| !body.holds_nothing()) {
            // The outcome is still open.
            Some(body) => Err(stuck(order, Step::Authorize, Refusal::unexpected(body))),
            None => Ok(Some(Input::Declined { reason })),
        }
    }

    /// Whether a hold made by a failed call would be found by now. When the call was first known to have failed
    /// is lost with the process, like everything that is remembered: then it takes as long again.
    fn would_be_found(&self, order: OrderId) -> bool {
        let known = self.failed.take(&mut vec![order]).remove(&order);
        let since = known.unwrap_or_else(Instant::now);
        self.failed.put([(order, since)]);
        since.elapsed() >= self.memory.search_settles
    }
}

/// What an intent says that a call returned or a search found.
fn authorized(order: OrderId, body: Body) -> Result<Input, Unanswered> {
    if body.holds_nothing() {
        return Ok(DECLINED);
    }
    let holds = body.holds();
    match body.id {
        Some(id) if holds => match kept(&id) {
            Ok(()) => Ok(Input::Authorized { authorization: id }),
            Err(why) => Err(unkept(order, why)),
        },
        id => Err(stuck(order, Step::Authorize, Refusal::unexpected(Body { id, ..body }))),
    }
}

fn refused(order: OrderId, refusal: Refusal) -> Result<Input, Unanswered> {
    if refusal.is_declined() {
        return Ok(Input::Declined { reason: refusal.error().reason() });
    }
    // Nobody can pay with a card that does not exist: an order must not hang on it.
    if refusal.is_about_the_order() {
        tracing::warn!(%order, error = %refusal, "the provider does not accept an authorization");
        return Ok(DECLINED);
    }
    Err(stuck(order, Step::Authorize, refusal))
}

/// The amount is held under an id that cannot be stored, so nobody could capture it.
fn unkept(order: OrderId, why: Unkept) -> Unanswered {
    tracing::debug!(%order, error = %why, "the payment provider holds an amount under an impossible id");
    Unanswered::refused(why)
}

/// Ids are path segments and appear in every event of a payment.
fn kept(id: &str) -> Result<(), Unkept> {
    let bytes = id.len();
    match id.bytes().all(|byte| byte.is_ascii_graphic()) {
        true if (1..=ID_BYTES_MAX).contains(&bytes) => Ok(()),
        true => Err(Unkept::Length { bytes }),
        false => Err(Unkept::Characters { bytes }),
    }
}

/// Why an id cannot be kept. The id is not repeated: it may be anything, of any length.
#[derive(Debug, thiserror::Error)]
enum Unkept {
    #[error("the id of the hold has {bytes} bytes; 1 to {ID_BYTES_MAX} can be kept")]
    Length { bytes: usize },
    #[error("the id of the hold, of {bytes} bytes, has characters other than visible ASCII")]
    Characters { bytes: usize },
}
