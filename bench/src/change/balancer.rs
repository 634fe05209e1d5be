//! Whom requests go to: every replica that says it is ready, asked every moment, as a load balancer does. So a replica
//! that stops gets requests until its answer has been noticed.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use anyhow::Context;
use futures::future::join_all;
use tokio::time::timeout;

use crate::fleet::{Fleet, Replica};
use crate::http::Client;
use crate::targets::Targets;

/// Shorter than the time for which a replica that stops goes on serving.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// An answer that takes longer is a no.
const PATIENCE: Duration = Duration::from_millis(500);
/// So that replicas get their share soon after they came.
const REQUESTS_OF_A_CONNECTION: u32 = 50;

/// The replicas of all services.
pub(super) struct Balancer(Vec<Balanced>);

struct Balanced {
    service: String,
    replicas: Mutex<Vec<Replica>>,
    targets: Arc<Targets>,
}

impl Balancer {
    pub(super) fn of(fleet: &Fleet) -> Self {
        let balanced = fleet.services.iter().map(|service| Balanced {
            service: service.name.clone(),
            replicas: Mutex::new(service.replicas.clone()),
            targets: Arc::new(Targets::renewed_after(
                REQUESTS_OF_A_CONNECTION,
                fleet.http(&service.name),
            )),
        });
        Balancer(balanced.collect())
    }

    pub(super) fn targets(&self, service: &str) -> anyhow::Result<Arc<Targets>> {
        Ok(Arc::clone(&self.get(service)?.targets))
    }

    /// Requests go there once it is ready.
    pub(super) fn add(&self, service: &str, replica: Replica) -> anyhow::Result<()> {
        self.get(service)?.replicas().push(replica);
        Ok(())
    }

    /// It will not come back.
    pub(super) fn remove(&self, service: &str, replica: Replica) -> anyhow::Result<()> {
        self.get(service)?.replicas().retain(|known| known.admin != replica.admin);
        Ok(())
    }

    /// Looks until it is dropped.
    pub(super) async fn watch(self: Arc<Self>) {
        let mut moments = tokio::time::interval(LOOK_EVERY);
        loop {
            moments.tick().await;
            join_all(self.0.iter().map(Balanced::look)).await;
        }
    }

    fn get(&self, service: &str) -> anyhow::Result<&Balanced> {
        let found = self.0.iter().find(|balanced| balanced.service == service);
        found.with_context(|| format!("no service is called {service}"))
    }
}

impl Balanced {
    fn replicas(&self) -> MutexGuard<'_, Vec<Replica>> {
        self.replicas.lock().expect("no panic under this lock")
    }

    async fn look(&self) {
        let known = self.replicas().clone();
        let answers = join_all(known.iter().map(|replica| is_ready(*replica))).await;
        let ready = known.iter().zip(answers).filter(|(_, ready)| *ready);
        self.targets.set(ready.map(|(replica, _)| replica.http).collect());
    }
}

async fn is_ready(replica: Replica) -> bool {
    let mut client = Client::new(replica.admin);
    let answer = timeout(PATIENCE, client.get("/readyz")).await;
    matches!(answer, Ok(Ok(response)) if response.status == 200)
}
