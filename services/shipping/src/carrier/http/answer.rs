//! What a carrier's HTTP answer says: how the shipment ended, or why a step is refused.

use chassis::{Unanswered, api};
use events::RefusalReason;
use reqwest::{Response, StatusCode};
use serde::Deserialize;

use super::Shipment;

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
    #[serde(rename = "type", default, deserialize_with = "api::code")]
    kind: Option<String>,
    #[serde(default, deserialize_with = "api::code")]
    code: Option<String>,
}

pub(super) async fn read(response: Response) -> Result<Answer, Unanswered> {
    Ok(match api::read::<Body, ErrorBody>(response).await? {
        api::Answer::Done(body) => Answer::Done(body.into()),
        api::Answer::Refused { status, error } => Answer::Refused(Refusal { status, error }),
    })
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
