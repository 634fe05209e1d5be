//! What a provider's HTTP answer says: about a payment intent or a refund, or why a step is refused.

use chassis::{Unanswered, api};
use events::DeclineReason;
use reqwest::{Response, StatusCode};
use serde::Deserialize;

/// Distinguishes an answer stored under the key from one that was given just now.
const REPLAYED: &str = "idempotent-replayed";

/// An answer that will be the same the next time.
#[derive(Debug)]
pub(super) enum Answer {
    Done(Body),
    Refused(Refusal),
    /// A server error stored under the key: asking under that key again is useless for as long as the
    /// provider knows it. Whether the step was carried out is not known.
    Stored(Unanswered),
}

/// A payment intent or a refund by the conventions, as far as it matters here.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Body {
    pub(super) id: Option<String>,
    pub(super) object: Option<String>,
    #[serde(default, deserialize_with = "api::code")]
    pub(super) status: Option<String>,
    /// In minor units.
    pub(super) amount: Option<i64>,
    /// Set on an intent whose card was declined.
    pub(super) last_payment_error: Option<ErrorBody>,
}

/// The intents or refunds that a query found.
#[derive(Debug, Deserialize)]
pub(super) struct Found {
    pub(super) data: Vec<Body>,
}

/// Why a call is refused. Of the provider's text only the codes are kept: a message may repeat what
/// was sent.
#[derive(Debug, thiserror::Error)]
#[error(
    "the provider answers {status} (type {kind:?}, code {code:?}, decline code {decline_code:?}, \
     param {param:?}, intent {intent_status:?})",
    kind = self.error.kind,
    code = self.error.code,
    decline_code = self.error.decline_code,
    param = self.error.param,
    intent_status = self.error.payment_intent.as_deref().and_then(|body| body.status.as_deref()),
)]
pub(super) struct Refusal {
    status: StatusCode,
    error: ErrorBody,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct ErrorBody {
    #[serde(rename = "type", default, deserialize_with = "api::code")]
    kind: Option<String>,
    #[serde(default, deserialize_with = "api::code")]
    code: Option<String>,
    #[serde(default, deserialize_with = "api::code")]
    decline_code: Option<String>,
    #[serde(default, deserialize_with = "api::code")]
    param: Option<String>,
    payment_intent: Option<Box<Body>>,
}

pub(super) async fn read(response: Response) -> Result<Answer, Unanswered> {
    let status = response.status();
    if status.is_server_error() && response.headers().contains_key(REPLAYED) {
        return Ok(Answer::Stored(api::unclear(status)));
    }
    Ok(match api::read(response).await? {
        api::Answer::Done(body) => Answer::Done(body),
        api::Answer::Refused { status, error } => Answer::Refused(Refusal { status, error }),
    })
}

impl Body {
    pub(super) fn is(&self, status: &str) -> bool {
        self.status.as_deref() == Some(status)
    }

    pub(super) fn is_refund(&self) -> bool {
        self.object.as_deref() == Some("refund")
    }

    /// An intent that holds the amount, or has taken it.
    pub(super) fn holds(&self) -> bool {
        self.is("requires_capture") || self.is("succeeded")
    }

    /// An intent that did not come to hold anything, and cannot without a new card or the customer.
    pub(super) fn holds_nothing(&self) -> bool {
        ["requires_payment_method", "requires_action", "canceled"].iter().any(|s| self.is(s))
    }
}

impl ErrorBody {
    /// Why a card was declined.
    pub(super) fn reason(&self) -> DeclineReason {
        match (self.decline_code.as_deref(), self.code.as_deref()) {
            (Some("insufficient_funds"), _) => DeclineReason::InsufficientFunds,
            (Some("expired_card"), _) | (_, Some("expired_card")) => DeclineReason::ExpiredCard,
            (_, Some("card_declined")) => DeclineReason::CardDeclined,
            _other => DeclineReason::Unknown,
        }
    }
}

impl Refusal {
    /// A success by its status, but not by its content.
    pub(super) fn unexpected(body: Body) -> Self {
        let error = ErrorBody { payment_intent: Some(Box::new(body)), ..ErrorBody::default() };
        Refusal { status: StatusCode::OK, error }
    }

    pub(super) fn code(&self) -> Option<&str> {
        self.error.code.as_deref()
    }

    /// What the error says, for its reason.
    pub(super) fn error(&self) -> &ErrorBody {
        &self.error
    }

    /// The current intent, which says why the step is refused.
    pub(super) fn intent(&self) -> Option<&Body> {
        self.error.payment_intent.as_deref()
    }

    /// The card's bank says no.
    pub(super) fn is_declined(&self) -> bool {
        self.status == StatusCode::PAYMENT_REQUIRED
            && self.error.kind.as_deref() == Some("card_error")
    }

    /// The provider does not accept what the customer or the order chose: a card that does not exist,
    /// an amount that nobody can hold. Anything else wrong with a request is our own fault.
    pub(super) fn is_about_the_order(&self) -> bool {
        let ErrorBody { kind, code, param, .. } = &self.error;
        let about = |text: &Option<String>, one_of: &[&str]| {
            text.as_deref().is_some_and(|text| one_of.contains(&text))
        };
        matches!(self.status, StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND)
            && kind.as_deref() == Some("invalid_request_error")
            && (about(param, &["payment_method", "amount", "currency"])
                || about(code, &["amount_too_small", "amount_too_large"]))
    }
}
