//! The service through the executor on a real Postgres: events in, events out. Every event comes twice under its own
//! id and once under a fresh one.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use chassis::Env;
use chassis::testing::Harness;
use events::{Events, samples};
use sprout::Sprout;

#[tokio::test]
async fn an_order_is_noted_once_however_its_events_come() {
    let mut replica = Replica::new().await;
    // All samples are of one order.
    for event in samples::order() {
        replica.deliver_thrice("order", &event).await;
    }
    assert_eq!(replica.harness.published().await.unwrap().len(), 1);
}

/// A replica, with a database of its own.
struct Replica {
    harness: Harness<Sprout>,
    /// The last number that an event was delivered under.
    sequence: i64,
}

impl Replica {
    async fn new() -> Self {
        let servers = local::testing::servers().await.unwrap();
        let url = servers.fresh_database("sprout").await.unwrap().owner_url;
        chassis::testing::migrate(&url, &sprout::MIGRATIONS).await.unwrap();
        let app = sprout::app(&mut Env::from_fn(|_| None));
        Replica { harness: Harness::start(app, &url).await.unwrap(), sequence: 0 }
    }

    async fn deliver_thrice<E: Events>(&mut self, source: &str, event: &E) {
        self.sequence += 2;
        for sequence in [self.sequence - 1, self.sequence - 1, self.sequence] {
            self.harness.deliver_event(source, sequence, event).await.unwrap();
        }
    }
}
