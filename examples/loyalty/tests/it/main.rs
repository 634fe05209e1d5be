//! Loyalty through the executor on a real Postgres: events in, rows and events out. Every event comes twice under
//! its own id and once under a fresh one.

#![allow(clippy::disallowed_methods, reason = "tests take the time from wherever they like")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use chassis::Env;
use chassis::measuring::Wire;
use chassis::testing::Harness;
use events::{OrderCompleted, OrderEvent, OrderId, OrderReturned};
use loyalty::{LoyaltyEvent, Points, of_customer};
use sqlx::PgPool;

fn completed(order_id: OrderId, customer: Option<&str>, total_minor: i64) -> OrderEvent {
    let (customer_id, currency) = (customer.map(str::to_owned), "EUR".parse().unwrap());
    OrderCompleted { order_id, customer_id, total_minor, currency, occurred_at: 1 }.into()
}

fn returned(order_id: OrderId, customer: Option<&str>) -> OrderEvent {
    let customer_id = customer.map(str::to_owned);
    OrderReturned { order_id, customer_id, occurred_at: 2 }.into()
}

#[tokio::test]
async fn an_order_counts_once_and_is_taken_back_once_however_its_events_come() {
    let mut world = World::new().await;
    let (once, back, back_first) = (OrderId::now(), OrderId::now(), OrderId::now());
    let ada = Some("ada");
    world.deliver_thrice(&completed(once, ada, 2_550)).await;
    world.deliver_thrice(&completed(back, ada, 1_000)).await;
    assert_eq!(world.points_of("ada").await, 35);
    world.deliver_thrice(&returned(back, ada)).await;
    world.deliver_thrice(&returned(back_first, ada)).await;
    world.deliver_thrice(&completed(back_first, ada, 9_900)).await;
    world.deliver_thrice(&completed(back, ada, 1_000)).await;
    assert_eq!(world.points_of("ada").await, 25);
    assert_eq!(world.told().await, [(once, 25), (back, 10), (back, -10)]);
}

#[tokio::test]
async fn a_customer_has_the_points_of_all_of_their_orders_and_of_nobody_elses() {
    let mut world = World::new().await;
    for (customer, total_minor) in [("ada", 100), ("ada", 250), ("bob", 700), ("ada", 99)] {
        world.deliver_thrice(&completed(OrderId::now(), Some(customer), total_minor)).await;
    }
    for (customer, points) in [("ada", 3), ("bob", 7), ("nobody", 0)] {
        assert_eq!(world.points_of(customer).await, points, "{customer}");
    }
}

#[tokio::test]
async fn an_order_that_ended_before_its_customer_was_told_earns_nobody_any_points() {
    let mut world = World::new().await;
    let order = OrderId::now();
    world.deliver_thrice(&completed(order, None, 5_000)).await;
    world.deliver_thrice(&returned(order, None)).await;
    assert!(world.told().await.is_empty());
}

/// A replica, with a database of its own.
struct World {
    replica: Harness<Points>,
    db: PgPool,
    /// The last number that an event was delivered under.
    sequence: i64,
}

impl World {
    async fn new() -> Self {
        let servers = local::testing::servers().await.unwrap();
        let url = servers.fresh_database("loyalty").await.unwrap().owner_url;
        chassis::testing::migrate(&url, &loyalty::MIGRATIONS).await.unwrap();
        let app = loyalty::app(&mut Env::from_fn(|_| None));
        let replica = Harness::start(app, &url).await.unwrap();
        World { replica, db: PgPool::connect(&url).await.unwrap(), sequence: 0 }
    }

    async fn deliver_thrice(&mut self, event: &OrderEvent) {
        self.sequence += 2;
        for sequence in [self.sequence - 1, self.sequence - 1, self.sequence] {
            self.replica.deliver_event("order", sequence, event).await.unwrap();
        }
    }

    async fn points_of(&self, customer: &str) -> i64 {
        of_customer(&self.db, customer).await.unwrap()
    }

    /// The changes that were told, of which orders.
    async fn told(&mut self) -> Vec<(OrderId, i64)> {
        let (wire, records) = (Wire::<LoyaltyEvent>::default(), self.replica.published().await);
        let told = records.unwrap().into_iter().map(|record| {
            let LoyaltyEvent::PointsChanged(event) = wire.decode(&record.value);
            (event.order_id, event.change)
        });
        told.collect()
    }
}
