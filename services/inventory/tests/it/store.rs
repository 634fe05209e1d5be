//! The service on a real Postgres: rows are read as they were written, and the database itself refuses to lose a
//! unit.

use events::{CatalogueEvent, Events, InventoryEvent, OrderId};
use inventory::domain::{self, Lines, State};
use inventory::store::list;
use inventory::{Input, Reply};

use crate::tables::{Tables, adjust, placed, step, told};

#[tokio::test]
async fn a_reservation_is_read_as_it_was_written_in_every_state() {
    let tables = Tables::new().await;
    let tea = tables.item("tea", 10).await;
    let lines = Lines::from([(tea.clone(), 4)]);
    let order = OrderId::now();
    for (input, state) in [
        (placed(order, &lines), State::Reserved { lines: lines.clone() }),
        (step(order, domain::Input::Shipped), State::Deducted { lines: lines.clone() }),
        (step(order, domain::Input::Returned), State::Returned),
    ] {
        told(&mut tables.replica().await, input).await.unwrap();
        assert_eq!(tables.state_of(order).await, Some(state));
    }
    assert_eq!(tables.units(&tea).await, (10, 0, 0));
}

#[tokio::test]
async fn a_tombstone_and_a_rejection_are_kept() {
    let tables = Tables::new().await;
    let lines = Lines::from([(tables.item("tea", 1).await, 2)]);
    let mut replica = tables.replica().await;
    for (input, expected) in [
        (domain::Input::Cancelled, State::Released),
        (domain::Input::Placed { lines }, State::Rejected),
    ] {
        let order = OrderId::now();
        told(&mut replica, step(order, input)).await.unwrap();
        assert_eq!(tables.state_of(order).await, Some(expected));
    }
}

/// What the audit is told of each state. Exhaustive, so that a new state needs a word.
fn goods(state: &State) -> &'static str {
    match state {
        State::New => unreachable!("it has no row"),
        State::Reserved { .. } => "reserved",
        State::Rejected | State::Released => "nothing",
        State::Deducted { .. } => "deducted",
        State::Returned => "returned",
    }
}

#[tokio::test]
async fn the_audit_is_told_in_words_of_every_state_and_how_many_events_were_published() {
    use domain::Input::{Cancelled, Placed, Returned, Shipped};
    let tables = Tables::new().await;
    let tea = tables.item("tea", 10).await;
    let placed = |units| Placed { lines: Lines::from([(tea.clone(), units)]) };
    for inputs in [
        vec![placed(1)],
        vec![placed(99)],
        vec![Cancelled],
        vec![placed(1), Shipped],
        vec![placed(1), Shipped, Returned],
    ] {
        let (mut replica, order) = (tables.replica().await, OrderId::now());
        for input in inputs {
            told(&mut replica, step(order, input)).await.unwrap();
        }
        let state = tables.state_of(order).await.unwrap();
        let told: (Option<String>, i64) = sqlx::query_as(
            "select goods, sequence from audit.reservations join audit.published using (order_id) \
              where topic = $1 and key = $2::text",
        )
        .bind(InventoryEvent::TOPIC)
        .bind(order.0)
        .fetch_one(&tables.pool)
        .await
        .unwrap();
        let all = replica.published().await.unwrap();
        let of_order = all.iter().filter(|record| record.topic() == InventoryEvent::TOPIC);
        let expected = (Some(goods(&state).to_owned()), of_order.count() as i64);
        assert_eq!(told, expected, "{state:?}");
    }
    let catalogue: i64 = sqlx::query_scalar(
        "select p.sequence from audit.published p join audit.stock s on s.sku = p.key \
          where p.topic = $1 and p.order_id is null and s.sequence = p.sequence",
    )
    .bind(CatalogueEvent::TOPIC)
    .fetch_one(&tables.pool)
    .await
    .unwrap();
    assert!(catalogue > 0);
}

#[tokio::test]
async fn a_whole_batch_on_one_sku_is_decided_and_saved_together() {
    let tables = Tables::new().await;
    let hot = tables.item("hot", 60).await;
    let lines = Lines::from([(hot.clone(), 1)]);
    let orders = (0..100).map(|_| placed(OrderId::now(), &lines));
    tables.replica().await.submit(orders).await;
    assert_eq!(tables.units(&hot).await, (0, 60, 0));
    let rejected: i64 = sqlx::query_scalar("select count(*) from reservations where state = 2")
        .fetch_one(&tables.pool)
        .await
        .unwrap();
    assert_eq!(rejected, 40);
}

#[tokio::test]
async fn an_adjustment_that_is_sent_again_counts_once_in_whichever_replica() {
    let tables = Tables::new().await;
    let tea = tables.item("tea", 5).await;
    let input = adjust(&tea, 7);
    let mut replica = tables.replica().await;
    let again = replica.submit([input.clone(), input.clone()]).await;
    let elsewhere = told(&mut tables.replica().await, input.clone()).await;
    for reply in again.into_iter().chain([elsewhere]) {
        let Ok(Reply::Item { item, created: false }) = reply else { panic!("{reply:?}") };
        assert_eq!(item.free, 12);
    }
    let Input::Adjust(mut other) = input else { unreachable!("made above") };
    other.delta = 8;
    let reply = told(&mut replica, Input::Adjust(other)).await;
    assert!(matches!(reply, Ok(Reply::IdReused)), "{reply:?}");
    assert_eq!(tables.units(&tea).await, (12, 0, 0));
}

#[tokio::test]
async fn the_database_refuses_to_lose_a_unit() {
    let tables = Tables::new().await;
    tables.item("tea", 5).await;
    for statement in [
        "update stock set free = free - 1",
        "update stock set free = -1, reserved = reserved + 6",
        "update stock set adjusted = adjusted + 1",
    ] {
        let refused = sqlx::query(statement).execute(&tables.pool).await.unwrap_err();
        assert!(refused.to_string().contains("check"), "{statement}: {refused}");
    }
}

#[tokio::test]
async fn items_are_listed_in_the_order_of_their_skus_a_page_at_a_time() {
    let tables = Tables::new().await;
    for name in ["c", "a", "b"] {
        tables.item(name, 1).await;
    }
    let skus = |page: Vec<inventory::store::Listed>| -> Vec<String> {
        page.into_iter().map(|item| item.sku).collect()
    };
    assert_eq!(skus(list(&tables.pool, "", 2).await.unwrap()), ["a", "b"]);
    assert_eq!(skus(list(&tables.pool, "b", 2).await.unwrap()), ["c"]);
}
