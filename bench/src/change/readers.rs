//! Callers of the services that customers do not order from: what a change of those services does is seen by whoever
//! asks them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use uuid::Uuid;

use super::balancer::Balancer;
use crate::http::Client;
use crate::request::sku;

/// Rare enough to cost little, and often enough to meet a replica that stops.
const EVERY: Duration = Duration::from_millis(50);

/// What all of them have counted.
#[derive(Clone, Default)]
pub(super) struct Readers(Arc<Counted>);

#[derive(Default)]
struct Counted {
    requests: AtomicU64,
    failed: AtomicU64,
}

impl Readers {
    /// Starts one for each of these services, to ask about an item and an order that exist.
    pub(super) fn start(
        balancer: &Balancer,
        order: Uuid,
        tasks: &mut JoinSet<()>,
    ) -> anyhow::Result<Self> {
        let readers = Readers::default();
        for (service, path) in [
            ("inventory", format!("/stock/{}", sku(0))),
            ("payment", format!("/payments/{order}")),
            ("shipping", format!("/shipments/{order}")),
        ] {
            let client = Client::of(balancer.targets(service)?);
            tasks.spawn(readers.clone().read(client, path));
        }
        Ok(readers)
    }

    /// Requests so far, and how many of them failed.
    pub(super) fn counted(&self) -> (u64, u64) {
        (self.0.requests.load(Ordering::Relaxed), self.0.failed.load(Ordering::Relaxed))
    }

    async fn read(self, mut client: Client, path: String) {
        let mut moments = tokio::time::interval(EVERY);
        moments.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            moments.tick().await;
            let answer = client.get(&path).await;
            self.0.requests.fetch_add(1, Ordering::Relaxed);
            if !answer.is_ok_and(|response| response.status == 200) {
                self.0.failed.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}
