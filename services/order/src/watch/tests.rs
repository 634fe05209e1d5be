use std::future::Future;

use events::OrderId;
use tokio::time::timeout;

use super::*;
use crate::domain;
use crate::history::Kind;
use crate::store::tests::{advance, database, insert, new_row};

struct Fixture {
    db: PgPool,
    changes: broadcast::Sender<Uuid>,
    hub: Arc<Hub>,
}

async fn fixture() -> Fixture {
    let db = database().await;
    let (changes, _) = broadcast::channel(16);
    let sender = changes.clone();
    let hub = Hub::new(db.clone(), move || sender.subscribe());
    Fixture { db, changes, hub }
}

impl Fixture {
    async fn placed(&self) -> OrderId {
        let id = OrderId::now();
        let row = new_row(id, &id.to_string(), domain::State::AwaitingBoth);
        insert(&self.db, [row]).await.unwrap();
        id
    }

    async fn confirm(&self, id: OrderId) {
        advance(&self.db, id, domain::State::Confirmed, Kind::Confirmed).await;
    }
}

/// Fails instead of hanging.
async fn soon<T>(what: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(10), what).await.expect("nothing came for ten seconds")
}

#[tokio::test]
async fn a_step_of_this_replica_is_told() {
    let fixture = fixture().await;
    let id = fixture.placed().await;
    let mut watcher = fixture.hub.watch(id.0).unwrap();
    let first = soon(watcher.first()).await.unwrap();
    assert_eq!(first.state, domain::State::AwaitingBoth);
    fixture.confirm(id).await;
    fixture.changes.send(id.0).unwrap();
    assert_eq!(soon(watcher.next()).await.state, domain::State::Confirmed);
}

#[tokio::test]
async fn a_step_of_another_replica_is_found() {
    let fixture = fixture().await;
    let id = fixture.placed().await;
    let mut watcher = fixture.hub.watch(id.0).unwrap();
    soon(watcher.first()).await.unwrap();
    fixture.confirm(id).await;
    assert_eq!(soon(watcher.next()).await.state, domain::State::Confirmed);
}

#[tokio::test]
async fn whoever_joins_later_sees_the_order_as_it_is_then() {
    let fixture = fixture().await;
    let id = fixture.placed().await;
    let mut early = fixture.hub.watch(id.0).unwrap();
    soon(early.first()).await.unwrap();
    fixture.confirm(id).await;
    let mut late = fixture.hub.watch(id.0).unwrap();
    assert_eq!(soon(late.first()).await.unwrap().state, domain::State::Confirmed);
}

#[tokio::test]
async fn an_order_that_does_not_exist_is_missing() {
    let fixture = fixture().await;
    let mut watcher = fixture.hub.watch(Uuid::now_v7()).unwrap();
    assert!(soon(watcher.first()).await.is_none());
}

#[tokio::test]
async fn the_hub_rests_when_nobody_watches_and_wakes_again() {
    let fixture = fixture().await;
    let id = fixture.placed().await;
    for _ in 0..3 {
        let mut watcher = fixture.hub.watch(id.0).unwrap();
        soon(watcher.first()).await.unwrap();
        drop(watcher);
        soon(async {
            while fixture.hub.lock().running {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await;
    }
    assert!(fixture.hub.lock().watched.is_empty());
}

#[tokio::test]
async fn watchers_are_bounded() {
    let fixture = fixture().await;
    let order = Uuid::now_v7();
    let watchers: Vec<_> = (0..WATCHERS_MAX).map(|_| fixture.hub.watch(order).unwrap()).collect();
    assert!(fixture.hub.watch(order).is_err());
    drop(watchers);
    assert!(fixture.hub.watch(order).is_ok());
}
