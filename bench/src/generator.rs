//! Places orders: a task per connection, all on the caller's thread, each with one request at a time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand::rngs::SmallRng;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::ends::Ends;
use crate::gate::Gate;
use crate::http::Client;
use crate::plan::Plan;
use crate::request::{OrderRequest, order_id};
use crate::targets::Targets;

/// How long to leave a service alone that is overloaded or away. It asks for a second or more; requests
/// that all came back after exactly that would be a load of their own kind.
const PAUSE: Duration = Duration::from_millis(200);

/// What happened to requests, beyond what becomes of orders.
#[derive(Default)]
pub struct Requests {
    /// Orders numbered so far.
    number: AtomicU64,
    /// Answers that asked to come back later; the request was sent again.
    pub turned_away: AtomicU64,
    /// Connections that broke; the request was sent again with the same key.
    pub broken: AtomicU64,
    /// The first order that was accepted.
    pub first_order: OnceLock<Uuid>,
    /// The first answer that refuses an order for good, which should never happen in a benchmark.
    pub first_failure: Mutex<Option<String>>,
}

/// What all connections share.
pub struct Generator {
    pub gate: Gate,
    pub ends: Ends,
    pub requests: Requests,
}

impl Generator {
    /// Opens the plan's connections, spread over the service's replicas. Dropping the set ends them.
    pub fn start(self: &Arc<Self>, plan: &Plan, targets: &Arc<Targets>) -> JoinSet<()> {
        let run = Uuid::now_v7();
        (0..plan.connections as u64)
            .map(|connection| {
                let request = OrderRequest::new(run, plan);
                let random = SmallRng::seed_from_u64(connection);
                let client = Client::of(Arc::clone(targets));
                Arc::clone(self).place_orders(client, request, random)
            })
            .collect()
    }

    async fn place_orders(
        self: Arc<Self>,
        mut client: Client,
        mut request: OrderRequest,
        mut random: SmallRng,
    ) {
        while let Some(intended) = self.gate.next().await {
            if self.gate.counts_when_taken() {
                self.ends.intended(1);
            }
            let number = self.requests.number.fetch_add(1, Ordering::Relaxed);
            request.renew(number, &mut random);
            let ended = self.place(&mut client, request.bytes(), intended).await;
            if ended > 0 {
                self.gate.ended(ended);
            }
        }
    }

    /// Places one order, with as many attempts as it takes. Returns how many orders ended with that.
    async fn place(&self, client: &mut Client, request: &[u8], intended: Instant) -> usize {
        loop {
            match client.send(request).await {
                Ok(response) if response.status == 201 => {
                    return match order_id(response.body) {
                        Some(order) => {
                            self.requests.first_order.get_or_init(|| order);
                            self.ends.accepted(order, intended, Instant::now())
                        }
                        None => self.fail(201, response.body),
                    };
                }
                Ok(response) if matches!(response.status, 429 | 503) => {
                    self.requests.turned_away.fetch_add(1, Ordering::Relaxed);
                }
                Ok(response) => return self.fail(response.status, response.body),
                Err(_broken) => {
                    self.requests.broken.fetch_add(1, Ordering::Relaxed);
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    fn fail(&self, status: u16, body: &[u8]) -> usize {
        let mut first = self.requests.first_failure.lock().expect("no panic under this lock");
        first.get_or_insert_with(|| format!("{status}: {}", String::from_utf8_lossy(body)));
        drop(first);
        self.ends.failed();
        1
    }
}

#[cfg(test)]
mod tests;
