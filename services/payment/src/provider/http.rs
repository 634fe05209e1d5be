//! A payment provider over HTTP, by the widespread conventions of payment intents: authorize with
//! manual capture, capture, cancel, refund, each a form under an idempotency key. Neither the key of
//! the API nor a customer's token appears in a log or an error.

mod answer;
mod authorize;

use std::sync::Arc;
use std::time::{Duration, Instant};

use chassis::{Outside, Remembered, Unanswered, api};
use events::{Money, OrderId};
use reqwest::{Method, Url};
use serde::de::DeserializeOwned;

use super::NAME;
use crate::domain::{self, Call, Step};
use crate::payments::{Input, Payments};
use answer::{Answer, Body, Found, Refusal};

/// Keys under which a step is tried, where the provider keeps answering one with a server error.
const KEYS_MAX: u32 = 5;

/// Refunds of one payment that a query asks for: the most that the convention returns at once.
const REFUNDS_MAX: &str = "100";

/// A payment provider behind a URL.
#[derive(Clone)]
pub struct Http {
    api: api::Client,
    memory: Memory,
    /// Since when the first key of an order's authorization is known to get a server error.
    failed: Arc<Remembered<OrderId, Instant>>,
}

/// How long a provider remembers what it was asked, and how soon a search finds it.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    /// Idempotency keys are known for at least this long; by convention, a day.
    pub keys_kept: Duration,
    /// After this long, a search by metadata finds what was done.
    pub search_settles: Duration,
}

impl Default for Memory {
    /// A few hours less than a day, as the age of a call is not known to the minute; and five times what
    /// searches take by convention.
    fn default() -> Self {
        let (keys_kept, search_settles) = (Duration::from_secs(72_000), Duration::from_secs(300));
        Memory { keys_kept, search_settles }
    }
}

impl Http {
    /// A provider at `base`, whose API is used with `key`; each call is given up after `timeout`.
    pub fn new(base: Url, key: &str, timeout: Duration) -> Result<Self, api::Unusable> {
        let api = api::Client::new(base, key, timeout)?;
        Ok(Http { api, memory: Memory::default(), failed: Arc::default() })
    }

    /// The same provider, with another memory.
    pub fn with_memory(self, memory: Memory) -> Self {
        Http { memory, ..self }
    }
}

impl Outside<Payments> for Http {
    const NAME: &'static str = NAME;

    async fn call(&self, call: Call, age: Duration) -> Result<Input, Unanswered> {
        let order = call.order();
        let input = match call {
            Call::Authorize { amount, token, .. } => {
                self.authorize(order, amount, &token, age).await?
            }
            Call::Capture { authorization, amount, .. } => {
                self.capture(order, &authorization, amount).await?;
                domain::Input::Captured
            }
            Call::Void { authorization, .. } => {
                self.void(order, &authorization).await?;
                domain::Input::Voided
            }
            Call::Refund { authorization, amount, .. } => {
                self.refund(order, &authorization, amount).await?;
                domain::Input::Refunded
            }
        };
        Ok(Input::to(order, input))
    }
}

impl Http {
    /// Holds the amount, without taking it. It was first asked to do so at most `age` ago.
    async fn authorize(
        &self,
        order: OrderId,
        amount: Money,
        token: &str,
        age: Duration,
    ) -> Result<domain::Input, Unanswered> {
        // The key no longer protects against a second hold.
        if age >= self.memory.keys_kept
            && let Some(found) = self.find(order).await?
        {
            return Ok(found);
        }
        let (minor, currency) = (amount.minor.to_string(), lowercase(amount));
        let form = [
            ("amount", minor.as_str()),
            ("currency", &currency),
            ("payment_method", token),
            ("payment_method_types[]", "card"),
            ("capture_method", "manual"),
            ("confirm", "true"),
            // There is no customer present whom the bank could ask for confirmation.
            ("error_on_requires_action", "true"),
            ("metadata[order_id]", &order.to_string()),
        ];
        self.hold(order, &form).await
    }

    /// Takes what is held.
    async fn capture(
        &self,
        order: OrderId,
        authorization: &str,
        amount: Money,
    ) -> Result<(), Unanswered> {
        let path = ["v1", "payment_intents", authorization, "capture"];
        let form = [("amount_to_capture", amount.minor.to_string())];
        let form = form.each_ref().map(|(name, value)| (*name, value.as_str()));
        let done = |body: &Body| body.is("succeeded");
        self.insist(&path, order, Step::Capture, &form, done).await.map(drop)
    }

    /// Lets go of what is held.
    async fn void(&self, order: OrderId, authorization: &str) -> Result<(), Unanswered> {
        let path = ["v1", "payment_intents", authorization, "cancel"];
        self.insist(&path, order, Step::Void, &[], |body| body.is("canceled")).await.map(drop)
    }

    /// Gives back what was taken.
    async fn refund(
        &self,
        order: OrderId,
        authorization: &str,
        amount: Money,
    ) -> Result<(), Unanswered> {
        let minor = amount.minor.to_string();
        let form = [("payment_intent", authorization), ("amount", minor.as_str())];
        // The intent stays `succeeded` when it is refunded, so its status says nothing here.
        let done = |body: &Body| body.is_refund() && (body.is("succeeded") || body.is("pending"));
        let path = ["v1", "refunds"];
        let refund = self.insist(&path, order, Step::Refund, &form, done).await?;
        match refund {
            // On its way to the bank, which may send it back.
            Some(pending) if pending.is("pending") => self.settled(order, pending).await,
            Some(_) => Ok(()),
            None => self.refunded_before(order, authorization, amount).await,
        }
    }
}

impl Http {
    /// Makes a request that changes nothing.
    async fn get<T: DeserializeOwned>(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> Result<T, Unanswered> {
        api::read_found(api::send(self.api.get(path, query)).await?).await
    }

    async fn post(
        &self,
        path: &[&str],
        key: &str,
        form: &[(&str, &str)],
    ) -> Result<Answer, Unanswered> {
        let request = self.api.request(Method::POST, path);
        let request = request.header("Idempotency-Key", key).form(form);
        answer::read(api::send(request).await?).await
    }

    /// A step that must eventually succeed. `done` says whether a body shows that it has. Another key is
    /// as safe as the first: a provider refuses what the state of the money does not allow.
    async fn insist(
        &self,
        path: &[&str],
        order: OrderId,
        step: Step,
        form: &[(&str, &str)],
        done: fn(&Body) -> bool,
    ) -> Result<Option<Body>, Unanswered> {
        let mut last = None;
        for nth in 1..=KEYS_MAX {
            match self.post(path, &key(order, step, nth), form).await? {
                Answer::Stored(failure) => last = Some(failure),
                Answer::Done(body) if done(&body) => return Ok(Some(body)),
                Answer::Done(body) => return Err(stuck(order, step, Refusal::unexpected(body))),
                // The provider forgets its idempotency keys after a while. A call repeated after that is
                // told that there is nothing left to do.
                Answer::Refused(refusal) if refusal.intent().is_some_and(done) => return Ok(None),
                // All of it was given back, or is on its way.
                Answer::Refused(refusal)
                    if step == Step::Refund
                        && refusal.code() == Some("charge_already_refunded") =>
                {
                    return Ok(None);
                }
                Answer::Refused(refusal) => return Err(stuck(order, step, refusal)),
            }
        }
        Err(last.expect("there is a first key"))
    }
}

impl Http {
    /// Whether a refund that was on its way has arrived.
    async fn settled(&self, order: OrderId, pending: Body) -> Result<(), Unanswered> {
        let Some(id) = &pending.id else {
            return Err(stuck(order, Step::Refund, Refusal::unexpected(pending)));
        };
        let now: Body = self.get(&["v1", "refunds", id], &[]).await?;
        if now.is("succeeded") {
            return Ok(());
        }
        if now.is("pending") {
            return Err(Unanswered::new(Pending));
        }
        Err(stuck(order, Step::Refund, Refusal::unexpected(now)))
    }

    /// Whether the refunds that, according to the provider, leave nothing to refund have arrived: it also
    /// counts those that are still on their way.
    async fn refunded_before(
        &self,
        order: OrderId,
        authorization: &str,
        amount: Money,
    ) -> Result<(), Unanswered> {
        let query = [("payment_intent", authorization), ("limit", REFUNDS_MAX)];
        let Found { data } = self.get(&["v1", "refunds"], &query).await?;
        let arrived = data.iter().filter(|refund| refund.is("succeeded"));
        let arrived = arrived.filter_map(|refund| refund.amount).fold(0, i64::saturating_add);
        if arrived >= amount.minor {
            return Ok(());
        }
        if data.iter().any(|refund| refund.is("pending")) {
            return Err(Unanswered::new(Pending));
        }
        let latest = data.into_iter().next().unwrap_or_default();
        Err(stuck(order, Step::Refund, Refusal::unexpected(latest)))
    }
}

/// The provider says that the step is under way.
#[derive(Debug, thiserror::Error)]
#[error("the refund is on its way to the bank")]
struct Pending;

/// The idempotency key of a step: the same however often the step is asked for, and another one where
/// the provider has stored a server error under the first.
fn key(order: OrderId, step: Step, nth: u32) -> String {
    match nth {
        1 => format!("{order}:{step}"),
        _later => format!("{order}:{step}:{nth}"),
    }
}

/// Providers write currencies in lower case.
fn lowercase(amount: Money) -> String {
    amount.currency.as_str().to_ascii_lowercase()
}

/// The step will be tried forever, because money depends on it; somebody has to look at it.
fn stuck(order: OrderId, step: Step, refusal: Refusal) -> Unanswered {
    tracing::debug!(%order, %step, error = %refusal, "the payment provider refuses a step");
    Unanswered::refused(refusal)
}
