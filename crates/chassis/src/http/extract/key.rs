//! The header by which a request that is sent again is recognized.

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use utoipa::IntoParams;

use crate::http::problem::Problem;

/// The header's name.
pub const IDEMPOTENCY_KEY: &str = "Idempotency-Key";
/// The longest key. It is kept for weeks, and looked for with each request that has it.
const BYTES_MAX: usize = 255;

/// The client's name for what a request asks for; sent again under the same name, it is done once.
#[derive(Debug, Clone, IntoParams)]
#[into_params(parameter_in = Header)]
pub struct IdempotencyKey {
    /// The client's name for what it asks for, such as a UUID: 1 to 255 visible ASCII characters. A request
    /// that is sent again with the same key and body is carried out once.
    #[param(
        rename = "Idempotency-Key",
        min_length = 1,
        max_length = 255,
        pattern = "^[!-~]+$",
        example = "0190c7a2-5a54-7a3e-9b1f-6d2c8e4f0a11"
    )]
    key: String,
}

impl IdempotencyKey {
    /// The key's text.
    pub fn as_str(&self) -> &str {
        &self.key
    }

    /// The refusal of a key that was used before for something else.
    pub fn reused(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "the key was used before")
            .code("idempotency_key_reused")
            .field(IDEMPOTENCY_KEY)
            .detail(detail)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let mut values = parts.headers.get_all(IDEMPOTENCY_KEY).iter();
        let Some(value) = values.next() else {
            return Err(Problem::new(StatusCode::BAD_REQUEST, "a header is missing")
                .code("idempotency_key_required")
                .field(IDEMPOTENCY_KEY)
                .detail(
                    "send a key of your choice, such as a UUID; send the same key when you try again",
                ));
        };
        if values.next().is_some() {
            return Err(Problem::invalid_header(IDEMPOTENCY_KEY, "send one key"));
        }
        let visible = |key: &str| key.bytes().all(|byte| byte.is_ascii_graphic());
        match value.to_str() {
            Ok(key) if (1..=BYTES_MAX).contains(&key.len()) && visible(key) => {
                Ok(IdempotencyKey { key: key.to_owned() })
            }
            Ok(_) | Err(_) => {
                let rule = format!("must be 1 to {BYTES_MAX} visible ASCII characters");
                Err(Problem::invalid_header(IDEMPOTENCY_KEY, rule))
            }
        }
    }
}
