//! Reading calls: form bodies, JSON bodies and idempotency keys, with errors in the provider's form.
//! Parameters that the simulator does not know are ignored, because real callers send many.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::error::ApiError;
use crate::payment::{Currency, IntentId};

/// The longest text of a parameter or key, by the public convention.
const MAX_TEXT_BYTES: usize = 255;

/// The parameters of a form-encoded call, in order.
pub(super) struct Form(Vec<(String, String)>);

impl<S: Send + Sync> FromRequest<S> for Form {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let is_form = has_type(request.headers(), "application/x-www-form-urlencoded");
        let body = body(request, state).await?;
        if !body.is_empty() && !is_form {
            return Err(ApiError::invalid("Send application/x-www-form-urlencoded."));
        }
        let pairs = serde_urlencoded::from_bytes(&body);
        pairs.map(Self).map_err(|error| ApiError::invalid(error.to_string()))
    }
}

impl Form {
    fn text(&self, name: &'static str) -> Result<Option<&str>, ApiError> {
        let found = self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        match found {
            Some(text) if text.len() > MAX_TEXT_BYTES => {
                Err(ApiError::invalid_param(name, "parameter_invalid", "The text is too long."))
            }
            Some("") | None => Ok(None),
            Some(text) => Ok(Some(text)),
        }
    }

    /// A required parameter.
    pub(super) fn required(&self, name: &'static str) -> Result<&str, ApiError> {
        let missing = || {
            let message = format!("Missing required param: {name}.");
            ApiError::invalid_param(name, "parameter_missing", message)
        };
        self.text(name)?.ok_or_else(missing)
    }

    /// A parameter that can only have one value here.
    pub(super) fn exactly(&self, name: &'static str, only: &'static str) -> Result<(), ApiError> {
        if self.required(name)? == only {
            return Ok(());
        }
        let message = format!("Only {name}={only} is simulated.");
        Err(ApiError::invalid_param(name, "parameter_invalid", message))
    }

    /// A whole number, if present.
    pub(super) fn integer(&self, name: &'static str) -> Result<Option<i64>, ApiError> {
        let invalid = |_| {
            ApiError::invalid_param(name, "parameter_invalid_integer", "This is no whole number.")
        };
        self.text(name)?.map(str::parse).transpose().map_err(invalid)
    }

    /// A required amount.
    pub(super) fn required_integer(&self, name: &'static str) -> Result<i64, ApiError> {
        self.required(name)?;
        let message = "This is no whole number.";
        let missing = || ApiError::invalid_param(name, "parameter_invalid_integer", message);
        self.integer(name)?.ok_or_else(missing)
    }

    /// A required currency.
    pub(super) fn currency(&self, name: &'static str) -> Result<Currency, ApiError> {
        let invalid = |error: crate::payment::InvalidCurrency| {
            ApiError::invalid_param(name, "parameter_invalid", error.to_string())
        };
        self.required(name)?.parse().map_err(invalid)
    }

    /// A required order id.
    pub(super) fn order(&self, name: &'static str) -> Result<Uuid, ApiError> {
        let invalid = |_| ApiError::invalid_param(name, "parameter_invalid", "This is no UUID.");
        Uuid::try_parse(self.required(name)?).map_err(invalid)
    }
}

/// A JSON body.
pub(super) struct JsonBody<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        if !has_type(request.headers(), "application/json") {
            return Err(ApiError::invalid("Send application/json."));
        }
        let body = body(request, state).await?;
        let parsed = serde_json::from_slice(&body);
        parsed.map(Self).map_err(|error| ApiError::invalid(error.to_string()))
    }
}

/// The key that every changing call to the provider must have.
pub(super) fn idempotency_key(headers: &HeaderMap) -> Result<String, ApiError> {
    let key = headers.get("idempotency-key").and_then(|value| value.to_str().ok()).unwrap_or("");
    match key.len() {
        1..=MAX_TEXT_BYTES => Ok(key.into()),
        _empty_or_too_long => {
            let message = "Send an Idempotency-Key of 1 to 255 characters.";
            Err(ApiError::invalid_param("Idempotency-Key", "idempotency_key_missing", message))
        }
    }
}

/// The payment that a call names. A text that is not an id names no payment that could exist.
pub(super) fn intent(text: &str) -> Result<IntentId, ApiError> {
    text.parse().map_err(|_| ApiError::missing("No such payment_intent."))
}

/// The order that a path names.
pub(super) fn order(text: &str) -> Result<Uuid, ApiError> {
    let invalid = |_| ApiError::invalid_param("order_id", "parameter_invalid", "This is no UUID.");
    Uuid::try_parse(text).map_err(invalid)
}

async fn body<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, ApiError> {
    Bytes::from_request(request, state).await.map_err(|rejection| {
        match rejection.into_response().status() {
            StatusCode::PAYLOAD_TOO_LARGE => ApiError::too_large(),
            _cut_off => ApiError::invalid("The body could not be read."),
        }
    })
}

fn has_type(headers: &HeaderMap, wanted: &str) -> bool {
    let sent = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    sent.and_then(|sent| sent.split(';').next()).is_some_and(|sent| {
        let sent = sent.trim();
        sent.eq_ignore_ascii_case(wanted)
    })
}
