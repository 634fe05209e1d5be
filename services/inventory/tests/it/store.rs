//! The service's SQL: rows are read as they were written, and the database itself refuses to lose a
//! unit.

use events::OrderId;
use inventory::Input;
use inventory::domain::{self, Lines, State};
use inventory::store::{find, list};
use sqlx::PgConnection;

use crate::tables::{NOW_MICROS, Tables, adjust, decide, load, placed, save, step};

#[tokio::test]
async fn a_reservation_is_read_as_it_was_written_in_every_state() {
    let tables = Tables::new().await;
    let mut db = tables.connect().await;
    let tea = tables.item("tea", 10).await;
    let lines = Lines::from([(tea.clone(), 4)]);
    let order = OrderId::now();
    let state = async |db: &mut PgConnection| {
        let input = Input::Order { order, step: domain::Input::Cancelled };
        load(db, &[&input]).await.unwrap().reservations.remove(&order).unwrap().state
    };
    step(&mut db, order, domain::Input::Placed { lines: lines.clone() }).await.unwrap();
    assert_eq!(state(&mut db).await, State::Reserved { lines: lines.clone() });
    step(&mut db, order, domain::Input::Shipped).await.unwrap();
    assert_eq!(state(&mut db).await, State::Deducted { lines });
    step(&mut db, order, domain::Input::Returned).await.unwrap();
    assert_eq!(state(&mut db).await, State::Returned);
    let item = find(&tables.pool, "tea").await.unwrap().unwrap();
    assert_eq!((item.free, item.reserved, item.shipped), (10, 0, 0));
}

#[tokio::test]
async fn a_tombstone_and_a_rejection_are_kept() {
    let tables = Tables::new().await;
    let mut db = tables.connect().await;
    let tea = tables.item("tea", 1).await;
    for (step_of, expected) in [
        (domain::Input::Cancelled, State::Released),
        (domain::Input::Placed { lines: Lines::from([(tea, 2)]) }, State::Rejected),
    ] {
        let order = OrderId::now();
        step(&mut db, order, step_of.clone()).await.unwrap();
        let input = Input::Order { order, step: step_of };
        let rows = load(&mut db, &[&input]).await.unwrap();
        assert_eq!(rows.reservations[&order].state, expected);
    }
}

#[tokio::test]
async fn a_whole_batch_on_one_sku_is_decided_and_saved_together() {
    let tables = Tables::new().await;
    let mut db = tables.connect().await;
    let hot = tables.item("hot", 60).await;
    let lines = Lines::from([(hot.clone(), 1)]);
    let orders: Vec<OrderId> = (0..100).map(|_| OrderId::now()).collect();
    let inputs: Vec<Input> = orders.iter().map(|order| placed(*order, &lines)).collect();
    let mut rows = load(&mut db, &inputs.iter().collect::<Vec<_>>()).await.unwrap();
    for order in &orders {
        decide(&mut rows, *order, domain::Input::Placed { lines: lines.clone() });
    }
    save(&mut db, &rows).await.unwrap();
    let item = find(&tables.pool, "hot").await.unwrap().unwrap();
    assert_eq!((item.free, item.reserved), (0, 60));
    let rejected: i64 = sqlx::query_scalar("select count(*) from reservations where state = 2")
        .fetch_one(&tables.pool)
        .await
        .unwrap();
    assert_eq!(rejected, 40);
}

#[tokio::test]
async fn an_adjustment_is_found_again_by_its_id_and_its_row_cannot_be_written_twice() {
    let tables = Tables::new().await;
    let mut db = tables.connect().await;
    let tea = tables.item("tea", 5).await;
    let input = adjust(&tea, 7);
    let Input::Adjust(adjustment) = &input else { unreachable!("made above") };
    for round in 0..2 {
        let mut rows = load(&mut db, &[&input]).await.unwrap();
        assert_eq!(rows.adjustments.contains_key(&adjustment.id), round == 1);
        domain::adjust(&tea, rows.stock.get_mut(&tea), 7, NOW_MICROS).unwrap();
        rows.adjusted(adjustment, NOW_MICROS);
        let saved = save(&mut db, &rows).await;
        assert_eq!(saved.is_ok(), round == 0, "round {round}");
    }
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
