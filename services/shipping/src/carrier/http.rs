//! A carrier over HTTP: `PUT /v1/shipments/{order}` books, `POST /v1/shipments/{order}/cancel`
//! cancels; both return the current shipment. The order identifies a repeated call.
//! The key of the API appears in no log and no error.

use std::time::Duration;

use chassis::api::{self, Answer, Refusal};
use chassis::{Outside, Unanswered, plain};
use events::OrderId;
use reqwest::{Method, Url};
use serde::{Deserialize, Serialize};

use super::NAME;
use crate::domain::{self, Call};
use crate::rows::RefusalReason;
use crate::shipments::{Input, Shipments};

/// The longest tracking code that is kept; carriers' codes have about twenty characters.
const TRACKING_CHARACTERS_MAX: usize = 255;
/// Replaces a code of which nothing can be kept.
const UNTRACKED: &str = "untracked";

/// A carrier behind a URL.
#[derive(Debug, Clone)]
pub struct Http {
    api: api::Client,
}

/// The shipment as the carrier writes it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", tag = "status")]
enum Shipment {
    Dispatched { tracking_code: String },
    Refused { reason: String },
    Cancelled,
}

impl Http {
    /// A carrier at `base`, whose API is used with `key`; each call is given up after `timeout`.
    pub fn new(base: Url, key: &str, timeout: Duration) -> Result<Self, api::Unusable> {
        Ok(Http { api: api::Client::new(base, key, timeout)? })
    }
}

impl Outside<Shipments> for Http {
    const NAME: &'static str = NAME;

    async fn call(&self, call: Call, _age: Duration) -> Result<Input, Unanswered> {
        #[derive(Serialize)]
        struct Booking {
            destination: String,
        }
        let (order, step) = (call.order(), call.step());
        let path = ["v1", "shipments", &order.to_string(), "cancel"];
        let request = match call {
            Call::Book { destination, .. } => {
                self.api.request(Method::PUT, &path[..3]).json(&Booking { destination })
            }
            Call::Cancel { .. } => self.api.request(Method::POST, &path),
        };
        let request = request.header("Idempotency-Key", format!("{order}:{step}"));
        let input = match api::read(api::send(request).await?).await? {
            Answer::Done(Shipment::Dispatched { tracking_code }) => {
                domain::Input::Dispatched { tracking: kept(order, tracking_code) }
            }
            Answer::Done(Shipment::Refused { reason }) => {
                // A reason that this build does not know yet is still a refusal.
                let reason = RefusalReason::of_name(&reason).unwrap_or(RefusalReason::Unknown);
                domain::Input::Refused { reason: reason.into() }
            }
            Answer::Done(Shipment::Cancelled) => domain::Input::Cancelled,
            // Goods and money are held until the carrier says how the shipment ended; somebody has to look
            // at it.
            Answer::Refused { status, error: codes } => {
                let refusal = Refusal { status, codes };
                tracing::debug!(%order, %step, error = %refusal, "the carrier refuses a step");
                return Err(Unanswered::refused(refusal));
            }
        };
        Ok(Input::to(order, input))
    }
}

/// The goods are gone, whatever the code looks like: an order must not hang on it. Characters that cannot
/// be stored are left out.
fn kept(order: OrderId, tracking: String) -> String {
    let mut kept = plain(&tracking, TRACKING_CHARACTERS_MAX);
    if kept.is_empty() {
        kept = UNTRACKED.to_owned();
    }
    if kept != tracking {
        let (bytes, code) = (tracking.len(), &kept);
        tracing::warn!(%order, bytes, code, "the carrier's tracking code cannot be kept as it is");
    }
    kept
}
