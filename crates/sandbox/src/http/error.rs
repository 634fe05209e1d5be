//! Errors by the public conventions of payment providers: a status, and a body that names
//! type, code and, for cards, the bank's reason. The carrier answers in the same form.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;

use super::intent::{card_codes, intent_json};
use crate::carrier::RefusedCall;
use crate::journal::NotRecorded;
use crate::ledger::PaymentError;
use crate::payment::{Decline, Refusal};

#[derive(Debug)]
pub(super) struct ApiError {
    status: StatusCode,
    // Boxed, because otherwise every successful call would carry its size.
    body: Box<Body>,
}

#[derive(Debug, Serialize)]
struct Body {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    decline_code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    param: Option<&'static str>,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    payment_intent: Option<Value>,
}

impl ApiError {
    fn new(status: StatusCode, r#type: &'static str, message: impl Into<String>) -> Self {
        let message = message.into();
        let body = Body {
            r#type,
            code: None,
            decline_code: None,
            param: None,
            message,
            payment_intent: None,
        };
        Self { status, body: Box::new(body) }
    }

    fn code(mut self, code: &'static str) -> Self {
        self.body.code = Some(code);
        self
    }

    /// The caller sent something that no retry can fix.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request_error", message)
    }

    /// The same, and the parameter at fault is known.
    pub(super) fn invalid_param(
        param: &'static str,
        code: &'static str,
        message: impl Into<String>,
    ) -> Self {
        let mut error = Self::invalid(message).code(code);
        error.body.param = Some(param);
        error
    }

    pub(super) fn declined(reason: Decline, payment_intent: Value) -> Self {
        let (code, decline_code) = card_codes(reason);
        let message = "The card was declined.";
        let mut error = Self::new(StatusCode::PAYMENT_REQUIRED, "card_error", message).code(code);
        error.body.decline_code = Some(decline_code);
        error.body.payment_intent = Some(payment_intent);
        error
    }

    pub(super) fn missing(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "invalid_request_error", message).code("resource_missing")
    }

    pub(super) fn unknown_url() -> Self {
        Self::new(StatusCode::NOT_FOUND, "invalid_request_error", "Unrecognized request URL.")
    }

    pub(super) fn wrong_method() -> Self {
        let message = "The URL does not take this method.";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "invalid_request_error", message)
    }

    pub(super) fn too_large() -> Self {
        let message = "The body is too large.";
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "invalid_request_error", message)
    }

    pub(super) fn unauthorized() -> Self {
        let message = "Send a test key: Authorization: Bearer sk_test_…";
        Self::new(StatusCode::UNAUTHORIZED, "invalid_request_error", message)
    }

    /// Nothing was done.
    pub(super) fn unavailable() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "api_error", "Try again.")
    }

    /// It was done, and the answer is lost.
    pub(super) fn lost() -> Self {
        Self::new(StatusCode::GATEWAY_TIMEOUT, "api_error", "The answer was held back.")
    }

    /// It was done, and then something broke.
    pub(super) fn failed_after() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "api_error", "Something went wrong.")
    }

    /// Whether it was done is unknown.
    pub(super) fn not_recorded() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "api_error", NotRecorded.to_string())
    }
}

impl From<PaymentError> for ApiError {
    fn from(error: PaymentError) -> Self {
        let message = error.to_string();
        match error {
            PaymentError::KeyReused => {
                Self::new(StatusCode::BAD_REQUEST, "idempotency_error", message)
            }
            PaymentError::UnknownIntent(_) => Self::missing(message),
            PaymentError::TooMany => Self::invalid(message),
            PaymentError::Broken { .. } => Self::failed_after(),
            PaymentError::Refused { refusal, payment } => {
                let mut error = Self::invalid(message).code(match refusal {
                    Refusal::AmountTooSmall => "amount_too_small",
                    Refusal::AmountTooLarge { .. } => "amount_too_large",
                    Refusal::UnexpectedStatus { .. } => "payment_intent_unexpected_state",
                    Refusal::AlreadyRefunded => "charge_already_refunded",
                });
                error.body.payment_intent = payment.map(|payment| intent_json(&payment));
                error
            }
        }
    }
}

impl From<RefusedCall> for ApiError {
    fn from(error: RefusedCall) -> Self {
        let message = error.to_string();
        match error {
            RefusedCall::OtherDestination { .. } => {
                Self::new(StatusCode::CONFLICT, "idempotency_error", message)
            }
            RefusedCall::NotUnderstood => {
                Self::invalid_param("destination", "parameter_invalid", message)
            }
        }
    }
}

impl From<NotRecorded> for ApiError {
    fn from(_: NotRecorded) -> Self {
        Self::not_recorded()
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        #[derive(Serialize)]
        struct Envelope {
            error: Box<Body>,
        }
        let try_again = self.status == StatusCode::SERVICE_UNAVAILABLE;
        let mut response = (self.status, Json(Envelope { error: self.body })).into_response();
        if try_again {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}
