//! A payment provider over HTTP, by the widespread conventions of payment intents: authorise with
//! manual capture, capture, cancel, refund, each a form under an idempotency key. Neither the key of
//! the API nor a customer's token appears in a log or an error.

mod answer;

use std::time::Duration;

use chassis::Unanswered;
use events::{DeclineReason, Money, OrderId};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue, InvalidHeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Client, Url};

use super::{Authorization, Provider, Step};
use answer::{Answer, Body, Refusal};

/// A connection takes a round trip or three: who needs longer is not there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// A payment provider behind a URL.
#[derive(Debug, Clone)]
pub struct Http {
    client: Client,
    base: Url,
}

/// Why there can be no client.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    #[error("the key has characters that a header cannot hold")]
    Key(#[source] InvalidHeaderValue),
    #[error("no HTTP client can be made")]
    Client(#[source] reqwest::Error),
}

impl Http {
    /// A provider at `base`, whose API is used with `key`; each call is given up after `timeout`.
    pub fn new(base: Url, key: &str, timeout: Duration) -> Result<Self, Unusable> {
        let mut bearer = HeaderValue::try_from(format!("Bearer {key}")).map_err(Unusable::Key)?;
        bearer.set_sensitive(true);
        let mut builder = Client::builder()
            .default_headers(HeaderMap::from_iter([(AUTHORIZATION, bearer)]))
            .connect_timeout(CONNECT_TIMEOUT.min(timeout))
            .timeout(timeout)
            // Whoever answers in the provider's place must not learn the key by sending us elsewhere.
            .redirect(Policy::none());
        if matches!(base.host_str(), Some("localhost" | "127.0.0.1" | "[::1]")) {
            // A proxy for the outside world does not know our own machine.
            builder = builder.no_proxy();
        }
        Ok(Http { client: builder.build().map_err(Unusable::Client)?, base })
    }

    async fn post(
        &self,
        path: &[&str],
        order: OrderId,
        step: Step,
        form: &[(&str, &str)],
    ) -> Result<Answer, Unanswered> {
        let mut url = self.base.clone();
        url.path_segments_mut().expect("an http URL has a path").pop_if_empty().extend(path);
        let response = self
            .client
            .post(url)
            .header("Idempotency-Key", format!("{order}:{step}"))
            .form(form)
            .send()
            .await
            .map_err(|error| Unanswered::new(error.without_url()))?;
        answer::read(response).await
    }

    /// A step that must succeed in the end. `done` says whether a body shows that it has.
    async fn insist(
        &self,
        path: &[&str],
        order: OrderId,
        step: Step,
        form: &[(&str, &str)],
        done: fn(&Body) -> bool,
    ) -> Result<(), Unanswered> {
        match self.post(path, order, step, form).await? {
            Answer::Done(body) if done(&body) => Ok(()),
            Answer::Done(body) => Err(stuck(order, step, Refusal::unexpected(body))),
            // The provider forgets its idempotency keys after a while. Who asks again later is told
            // that there is nothing left to do.
            Answer::Refused(refusal) if refusal.intent().is_some_and(done) => Ok(()),
            Answer::Refused(refusal)
                if step == Step::Refund && refusal.code() == Some("charge_already_refunded") =>
            {
                Ok(())
            }
            Answer::Refused(refusal) => Err(stuck(order, step, refusal)),
        }
    }
}

impl Provider for Http {
    async fn authorize(
        &self,
        order: OrderId,
        amount: Money,
        token: &str,
    ) -> Result<Authorization, Unanswered> {
        let (minor, currency) = (amount.minor.to_string(), lowercase(amount));
        let form = [
            ("amount", minor.as_str()),
            ("currency", &currency),
            ("payment_method", token),
            ("payment_method_types[]", "card"),
            ("capture_method", "manual"),
            ("confirm", "true"),
            // There is no customer at hand whom the bank could ask for a confirmation.
            ("error_on_requires_action", "true"),
            ("metadata[order_id]", &order.to_string()),
        ];
        match self.post(&["v1", "payment_intents"], order, Step::Authorize, &form).await? {
            Answer::Done(Body { id: Some(id), status: Some(status), .. })
                if status == "requires_capture" =>
            {
                Ok(Authorization::Authorized { id })
            }
            Answer::Done(body) if body.holds_nothing() => {
                Ok(Authorization::Declined(DeclineReason::Unknown))
            }
            Answer::Done(body) => Err(stuck(order, Step::Authorize, Refusal::unexpected(body))),
            Answer::Refused(refusal) if refusal.is_declined() => {
                Ok(Authorization::Declined(reason(&refusal)))
            }
            // Nobody can pay with a card that does not exist: an order must not hang on it.
            Answer::Refused(refusal) if refusal.is_about_the_order() => {
                tracing::warn!(%order, error = %refusal, "the provider does not accept an authorisation");
                Ok(Authorization::Declined(DeclineReason::Unknown))
            }
            Answer::Refused(refusal) => Err(stuck(order, Step::Authorize, refusal)),
        }
    }

    async fn capture(
        &self,
        order: OrderId,
        authorization: &str,
        amount: Money,
    ) -> Result<(), Unanswered> {
        let path = ["v1", "payment_intents", authorization, "capture"];
        let form = [("amount_to_capture", amount.minor.to_string())];
        let form = form.each_ref().map(|(name, value)| (*name, value.as_str()));
        self.insist(&path, order, Step::Capture, &form, |body| body.is("succeeded")).await
    }

    async fn void(&self, order: OrderId, authorization: &str) -> Result<(), Unanswered> {
        let path = ["v1", "payment_intents", authorization, "cancel"];
        self.insist(&path, order, Step::Void, &[], |body| body.is("canceled")).await
    }

    async fn refund(
        &self,
        order: OrderId,
        authorization: &str,
        amount: Money,
    ) -> Result<(), Unanswered> {
        let minor = amount.minor.to_string();
        let form = [("payment_intent", authorization), ("amount", minor.as_str())];
        self.insist(&["v1", "refunds"], order, Step::Refund, &form, |body| {
            // A pending refund is on its way, and nothing is left for us to do. The intent stays
            // `succeeded` when it is refunded, so its status tells nothing here.
            body.is_refund() && (body.is("succeeded") || body.is("pending"))
        })
        .await
    }
}

/// Providers write currencies in small letters.
fn lowercase(amount: Money) -> String {
    amount.currency.as_str().to_ascii_lowercase()
}

fn reason(refusal: &Refusal) -> DeclineReason {
    match (refusal.decline_code(), refusal.code()) {
        (Some("insufficient_funds"), _) => DeclineReason::InsufficientFunds,
        (Some("expired_card"), _) | (_, Some("expired_card")) => DeclineReason::ExpiredCard,
        (_, Some("card_declined")) => DeclineReason::CardDeclined,
        _other => DeclineReason::Unknown,
    }
}

/// The step will be tried for ever, because money depends on it; somebody has to look at it.
fn stuck(order: OrderId, step: Step, refusal: Refusal) -> Unanswered {
    tracing::error!(
        %order, %step, error = %refusal,
        "the payment provider refuses a step that cannot be given up; it will be tried again"
    );
    Unanswered::new(refusal)
}
