use std::time::Duration;

use super::*;

/// An order id made this many seconds ago.
pub(super) fn made_ago(seconds: u64) -> OrderId {
    let now_ms = Uuid::now_v7().as_u64_pair().0 >> 16;
    let (high, low) = Uuid::now_v7().as_u64_pair();
    let ms = now_ms - seconds * 1_000;
    OrderId(Uuid::from_u64_pair(ms << 16 | (high & 0xffff), low))
}

/// The present time, in microseconds.
fn now() -> i64 {
    made_ago(0).created_at_micros().unwrap()
}

async fn next(search: &OverdueSearch, db: &PgPool) -> Vec<OrderId> {
    until(search, db, now()).await
}

/// What was overdue at a time.
async fn until(search: &OverdueSearch, db: &PgPool, micros: i64) -> Vec<OrderId> {
    let mut connection = db.acquire().await.unwrap();
    search.next(connection.acquire().await.unwrap(), micros).await.unwrap()
}

/// The recorded place, in seconds before now.
async fn written_ago(db: &PgPool) -> i64 {
    let written: Uuid =
        sqlx::query_scalar("select searched from overdue_search").fetch_one(db).await.unwrap();
    now() / 1_000_000 - (written.as_u64_pair().0 >> 16) as i64 / 1_000
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
    // Placed before the search began and committed after it: late, but not too late for it.
    insert(&db, rows).await.unwrap();
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
    let searched = written_ago(&db).await;
    assert!((120..180).contains(&searched), "all that may still come to light: {searched}");

    // Orders up to ten minutes before the place are looked at again, those hours before are not.
    let recent = made_ago(500);
    let rows = [
        new_row(made_ago(2 * hour), "2", State::AwaitingBoth),
        new_row(recent, "3", State::AwaitingBoth),
    ];
    insert(&db, rows).await.unwrap();
    assert_eq!(next(&OverdueSearch::new(Duration::from_secs(60)), &db).await, [recent]);
}

#[tokio::test]
async fn an_order_is_overdue_by_the_time_that_is_given_and_the_place_is_never_later_than_that() {
    let db = database().await;
    let order = made_ago(1_800);
    insert(&db, [new_row(order, "1", State::AwaitingBoth)]).await.unwrap();
    let search = OverdueSearch::new(Duration::from_secs(900));
    // An hour behind this machine's clock, as the database of a replica that is an hour ahead.
    let hour = 3_600_000_000;
    assert_eq!(until(&search, &db, now() - hour).await, []);
    let written = written_ago(&db).await;
    assert!(written >= 3_600 + 900, "{written}");
    assert_eq!(until(&search, &db, now()).await, [order]);
}

#[tokio::test]
async fn a_place_in_the_future_is_not_believed() {
    let db = database().await;
    let hour_ahead = OrderId::made_at(now() + 3_600_000_000);
    let planted = sqlx::query("update overdue_search set searched = $1").bind(hour_ahead.0);
    planted.execute(&db).await.unwrap();
    let search = OverdueSearch::new(Duration::from_secs(60));
    assert_eq!(next(&search, &db).await, []);
    let order = made_ago(70);
    insert(&db, [new_row(order, "1", State::AwaitingBoth)]).await.unwrap();
    assert_eq!(next(&search, &db).await, [order]);

    // The database's clock steps back under a search that runs.
    assert_eq!(until(&search, &db, now() + 7_200_000_000).await, [order]);
    advance(&db, order, State::Shipped, Kind::Shipped).await;
    assert_eq!(until(&search, &db, now() + 7_200_000_000).await, []);
    let later = made_ago(65);
    insert(&db, [new_row(later, "2", State::AwaitingBoth)]).await.unwrap();
    assert_eq!(next(&search, &db).await, [later]);
}
