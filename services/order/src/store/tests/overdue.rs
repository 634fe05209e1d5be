use std::time::Duration;

use super::*;

/// An order id made so many seconds ago.
pub(super) fn made_ago(seconds: u64) -> OrderId {
    let now_ms = Uuid::now_v7().as_u64_pair().0 >> 16;
    let (high, low) = Uuid::now_v7().as_u64_pair();
    let ms = now_ms - seconds * 1_000;
    OrderId(Uuid::from_u64_pair(ms << 16 | (high & 0xffff), low))
}

async fn next(search: &OverdueSearch, db: &PgPool) -> Vec<OrderId> {
    let mut connection = db.acquire().await.unwrap();
    search.next(connection.acquire().await.unwrap()).await.unwrap()
}

#[tokio::test]
async fn overdue_orders_are_found_until_they_change() {
    let db = database().await;
    let search = OverdueSearch::new(Duration::from_secs(60));
    assert_eq!(next(&search, &db).await, []);

    let [first, second, shipped, young] = [90, 80, 70, 30].map(made_ago);
    let rows = [
        new_row(first, "1", State::AwaitingBoth),
        new_row(second, "2", State::Confirmed),
        new_row(shipped, "3", State::Shipped),
        new_row(young, "4", State::AwaitingBoth),
    ];
    insert(&db, rows).await.unwrap();
    // Placed before the search began and committed after it: out of its reach, unlike for a replica
    // that begins now.
    assert_eq!(next(&search, &db).await, []);
    let search = OverdueSearch::new(Duration::from_secs(60));
    assert_eq!(next(&search, &db).await, [first, second]);
    assert_eq!(next(&search, &db).await, [first, second]);
    advance(&db, first, State::Shipped, Kind::Shipped).await;
    assert_eq!(next(&search, &db).await, [second]);
    advance(&db, second, State::Shipped, Kind::Shipped).await;
    assert_eq!(next(&search, &db).await, []);
}

#[tokio::test]
async fn a_new_replica_begins_where_the_search_was() {
    let db = database().await;
    let hour = 3_600;
    let forgotten = made_ago(3 * hour);
    insert(&db, [new_row(forgotten, "1", State::Shipped)]).await.unwrap();
    assert_eq!(next(&OverdueSearch::new(Duration::from_secs(60)), &db).await, []);
    let searched: Uuid =
        sqlx::query_scalar("select searched from overdue_search").fetch_one(&db).await.unwrap();
    assert!(searched > made_ago(120).0 && searched < made_ago(30).0);

    // Ten minutes before the place are looked at again, hours are not.
    let recent = made_ago(500);
    let rows = [
        new_row(made_ago(2 * hour), "2", State::AwaitingBoth),
        new_row(recent, "3", State::AwaitingBoth),
    ];
    insert(&db, rows).await.unwrap();
    assert_eq!(next(&OverdueSearch::new(Duration::from_secs(60)), &db).await, [recent]);
}
