//! What a carrier's HTTP answer means: how the shipment ended, refused for good, or no answer at all.
//! Everything that could be another outcome the next time is no answer.

use chassis::{Unanswered, plain};
use events::RefusalReason;
use reqwest::{Response, StatusCode};
use serde::{Deserialize, Deserializer};

use super::Shipment;

/// Far more than any code of an API has.
const CODE_CHARACTERS_MAX: usize = 100;
/// Far more than any answer has. Whoever sends more is not the carrier.
const BODY_BYTES_MAX: usize = 256 * 1024;

/// An answer that will be the same the next time.
#[derive(Debug)]
pub(super) enum Answer {
    Done(Shipment),
    Refused(Refusal),
}

/// The shipment as the carrier writes it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", tag = "status")]
enum Body {
    Dispatched { tracking_code: String },
    Refused { reason: Reason },
    Cancelled,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Reason {
    DestinationNotServed,
    GoodsNotAccepted,
    /// A reason that came later refuses all the same.
    #[serde(other)]
    Unknown,
}

/// Why a call is refused. Of the carrier's text only the codes are kept: a message may repeat what was
/// sent.
#[derive(Debug, thiserror::Error)]
#[error("the carrier answers {status} (type {kind:?}, code {code:?})", kind = self.error.kind, code = self.error.code)]
pub(super) struct Refusal {
    status: StatusCode,
    error: ErrorBody,
}

#[derive(Debug, Deserialize)]
struct ErrorBody {
    #[serde(rename = "type", default, deserialize_with = "short")]
    kind: Option<String>,
    #[serde(default, deserialize_with = "short")]
    code: Option<String>,
}

/// A code of the carrier's, for logs: whatever it sends there, a line stays a line.
fn short<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    Ok(text.map(|text| plain(&text, CODE_CHARACTERS_MAX)))
}

/// An answer that says nothing about the outcome.
#[derive(Debug, thiserror::Error)]
enum Unclear {
    #[error("the carrier answers {0}")]
    Status(StatusCode),
    #[error("the carrier answers {0} with a body that cannot be read")]
    Body(StatusCode, #[source] serde_json::Error),
    #[error("the carrier's answer has more than {BODY_BYTES_MAX} bytes")]
    TooLarge,
}

pub(super) async fn read(response: Response) -> Result<Answer, Unanswered> {
    let status = response.status();
    // In progress, too many requests, broken: it may have been carried out or not.
    let refused = status.is_client_error()
        && status != StatusCode::REQUEST_TIMEOUT
        && status != StatusCode::CONFLICT
        && status != StatusCode::TOO_MANY_REQUESTS;
    if !status.is_success() && !refused {
        return Err(Unanswered::new(Unclear::Status(status)));
    }
    let body = bytes(response).await?;
    let unreadable = |error| Unanswered::new(Unclear::Body(status, error));
    if status.is_success() {
        let body: Body = serde_json::from_slice(&body).map_err(unreadable)?;
        return Ok(Answer::Done(body.into()));
    }
    #[derive(Deserialize)]
    struct Envelope {
        error: ErrorBody,
    }
    // A refusal that is not in the carrier's own form comes from something between it and us.
    let envelope: Envelope = serde_json::from_slice(&body).map_err(unreadable)?;
    Ok(Answer::Refused(Refusal { status, error: envelope.error }))
}

async fn bytes(mut response: Response) -> Result<Vec<u8>, Unanswered> {
    let mut body = Vec::new();
    while let Some(chunk) =
        response.chunk().await.map_err(|error| Unanswered::new(error.without_url()))?
    {
        if body.len() + chunk.len() > BODY_BYTES_MAX {
            return Err(Unanswered::new(Unclear::TooLarge));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

impl From<Body> for Shipment {
    fn from(body: Body) -> Self {
        match body {
            Body::Dispatched { tracking_code } => Shipment::Dispatched { tracking: tracking_code },
            Body::Refused { reason } => Shipment::Refused(match reason {
                Reason::DestinationNotServed => RefusalReason::DestinationNotServed,
                Reason::GoodsNotAccepted => RefusalReason::GoodsNotAccepted,
                Reason::Unknown => RefusalReason::Unknown,
            }),
            Body::Cancelled => Shipment::Cancelled,
        }
    }
}
