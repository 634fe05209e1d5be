use sqlx::Acquire;

use super::overdue::made_ago;
use super::*;
use crate::phase::Phase;

async fn look(search: &OpenSearch, db: &PgPool) -> (Vec<(Phase, usize)>, u64) {
    let mut connection = db.acquire().await.unwrap();
    let open = search.look(connection.acquire().await.unwrap()).await.unwrap();
    let counted = open.by_phase.into_iter().filter(|(_, count)| *count > 0).collect();
    (counted, open.oldest_seconds as u64)
}

async fn place_all(db: &PgPool, orders: &[(OrderId, State)]) {
    let rows = orders.iter().map(|(id, state)| new_row(*id, &id.to_string(), *state));
    insert(db, rows).await.unwrap();
}

#[tokio::test]
async fn open_orders_are_counted_until_they_end_and_the_oldest_is_known() {
    let db = database().await;
    let search = OpenSearch::default();
    assert_eq!(look(&search, &db).await, (vec![], 0));
    let [stuck, completed, fresh] = [500, 400, 0].map(made_ago);
    place_all(
        &db,
        &[(stuck, State::Shipped), (completed, State::Completed), (fresh, State::AwaitingBoth)],
    )
    .await;
    let both = vec![(Phase::Placed, 1), (Phase::Shipped, 1)];
    let (counted, age) = look(&search, &db).await;
    assert_eq!(counted, both);
    assert!((500..560).contains(&age), "{age}");
    // From here on the old one is known by its id only.
    assert_eq!(look(&search, &db).await.0, both);
    advance(&db, fresh, State::Confirmed, Kind::Confirmed).await;
    let (counted, _) = look(&search, &db).await;
    assert_eq!(counted, [(Phase::Confirmed, 1), (Phase::Shipped, 1)]);
    advance(&db, stuck, State::Completed, Kind::Completed).await;
    let (counted, age) = look(&search, &db).await;
    assert_eq!(counted, [(Phase::Confirmed, 1)]);
    assert!(age < 60, "{age}");
    advance(&db, fresh, State::Shipped, Kind::Shipped).await;
    advance(&db, fresh, State::Completed, Kind::Completed).await;
    assert_eq!(look(&search, &db).await, (vec![], 0));
}

#[tokio::test]
async fn a_new_replica_knows_the_oldest_open_order_without_reading_those_that_ended() {
    let db = database().await;
    let [ended, stuck, other] = [9_000, 8_000, 7_000].map(made_ago);
    place_all(&db, &[(stuck, State::Shipped), (other, State::Completed)]).await;
    look(&OpenSearch::default(), &db).await;
    // Planted where a replica that begins now no longer looks.
    place_all(&db, &[(ended, State::Shipped)]).await;
    let (counted, age) = look(&OpenSearch::default(), &db).await;
    assert_eq!(counted, [(Phase::Shipped, 1)]);
    assert!((8_000..8_100).contains(&age), "{age}");
}

#[tokio::test]
async fn an_order_that_is_open_for_too_long_is_counted_for_each_whose_answer_it_waits_for() {
    let db = database().await;
    let cancelling = State::Cancelling {
        reason: CancelReason::Customer,
        stock: Hold::Free,
        payment: Hold::Held,
    };
    let rows = [
        (900, State::AwaitingBoth),
        (800, State::Confirmed),
        (700, cancelling),
        (600, State::Completed),
        (200, State::AwaitingStock),
    ];
    place_all(&db, &rows.map(|(age, state)| (made_ago(age), state))).await;
    let mut connection = db.acquire().await.unwrap();
    let open = OpenSearch::default().look(connection.acquire().await.unwrap()).await.unwrap();
    assert_eq!(open.stuck, [("inventory", 1), ("payment", 2), ("shipping", 1)]);
}
