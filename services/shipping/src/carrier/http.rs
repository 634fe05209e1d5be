//! A carrier over HTTP: `PUT /v1/shipments/{order}` books, `POST /v1/shipments/{order}/cancel`
//! cancels, both answer the shipment as it is. The order is what makes a repeated call the same call.
//! The key of the API appears in no log and no error.

mod answer;

use std::time::Duration;

use chassis::{Unanswered, api, plain};
use events::OrderId;
use reqwest::{Client, Method, RequestBuilder, Url};
use serde::Serialize;

use super::{Carrier, Shipment, Step};
use answer::{Answer, Refusal};

/// The longest tracking code that is kept; those of carriers have some twenty characters.
const TRACKING_CHARACTERS_MAX: usize = 255;
/// What stands in place of a code that has nothing that could be kept.
const UNTRACKED: &str = "untracked";

/// A carrier behind a URL.
#[derive(Debug, Clone)]
pub struct Http {
    client: Client,
    base: Url,
}

impl Http {
    /// A carrier at `base`, whose API is used with `key`; each call is given up after `timeout`.
    pub fn new(base: Url, key: &str, timeout: Duration) -> Result<Self, api::Unusable> {
        let client = api::client(&base, key, timeout)?;
        Ok(Http { client, base })
    }

    fn request(&self, method: Method, order: OrderId, step: Step, path: &[&str]) -> RequestBuilder {
        let request = self.client.request(method, api::url(&self.base, path));
        request.header("Idempotency-Key", format!("{order}:{step}"))
    }

    async fn send(
        &self,
        order: OrderId,
        step: Step,
        request: RequestBuilder,
    ) -> Result<Shipment, Unanswered> {
        match answer::read(api::send(request).await?).await? {
            Answer::Done(Shipment::Dispatched { tracking }) => {
                Ok(Shipment::Dispatched { tracking: kept(order, tracking) })
            }
            Answer::Done(shipment @ (Shipment::Refused(_) | Shipment::Cancelled)) => Ok(shipment),
            Answer::Refused(refusal) => Err(stuck(order, step, refusal)),
        }
    }
}

impl Carrier for Http {
    async fn book(&self, order: OrderId, destination: &str) -> Result<Shipment, Unanswered> {
        #[derive(Serialize)]
        struct Booking<'a> {
            destination: &'a str,
        }
        let path = ["v1", "shipments", &order.to_string()];
        let request = self.request(Method::PUT, order, Step::Book, &path);
        self.send(order, Step::Book, request.json(&Booking { destination })).await
    }

    async fn cancel(&self, order: OrderId) -> Result<Shipment, Unanswered> {
        let path = ["v1", "shipments", &order.to_string(), "cancel"];
        let request = self.request(Method::POST, order, Step::Cancel, &path);
        self.send(order, Step::Cancel, request).await
    }
}

/// The goods are gone, whatever the code looks like: an order must not hang on it. What cannot be stored
/// of it is left out.
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

/// Goods and money are held until the carrier says how the shipment ended; somebody has to look at it.
fn stuck(order: OrderId, step: Step, refusal: Refusal) -> Unanswered {
    tracing::debug!(%order, %step, error = %refusal, "the carrier refuses a step");
    Unanswered::refused(refusal)
}
