//! Writers of the same rows never overwrite each other, whatever each of them remembers or presumes.

use chassis::Failure;
use events::OrderId;
use inventory::Input;
use inventory::domain::{self, Lines, State};
use sqlx::{Connection, PgConnection};

use crate::tables::{Known, Tables, decide, load, placed, save, step};

#[tokio::test]
async fn an_order_that_is_placed_again_is_presumed_new_once_and_then_read() {
    let tables = Tables::new().await;
    let mut db = tables.connect().await;
    let tea = tables.item("tea", 5).await;
    let order = OrderId::now();
    let lines = Lines::from([(tea, 1)]);
    let again = placed(order, &lines);
    step(&mut db, order, domain::Input::Placed { lines: lines.clone() }).await.unwrap();
    let known = Known::default();
    let mut rows = known.load(&mut db, &[&again]).await.unwrap();
    assert_eq!(rows.reservations[&order].state, State::New);
    decide(&mut rows, order, domain::Input::Placed { lines: lines.clone() });
    let failure = save(&mut db, &rows).await.unwrap_err();
    assert!(failure.is_conflict(), "{failure:?}");
    let rows = known.load(&mut db, &[&again]).await.unwrap();
    assert_eq!(rows.reservations[&order].state, State::Reserved { lines });
}

#[tokio::test]
async fn a_reservation_that_somebody_else_changed_is_a_conflict() {
    let tables = Tables::new().await;
    let (mut one, mut other) = (tables.connect().await, tables.connect().await);
    let tea = tables.item("tea", 5).await;
    let order = OrderId::now();
    let lines = Lines::from([(tea, 1)]);
    step(&mut one, order, domain::Input::Placed { lines }).await.unwrap();
    let shipped = Input::Order { order, step: domain::Input::Shipped };
    let mut stale = load(&mut one, &[&shipped]).await.unwrap();
    step(&mut other, order, domain::Input::Cancelled).await.unwrap();
    decide(&mut stale, order, domain::Input::Shipped);
    let mut tx = one.begin().await.unwrap();
    let failure = save(&mut tx, &stale).await.unwrap_err();
    assert!(failure.is_conflict(), "{failure:?}");
}

#[tokio::test]
async fn an_item_that_somebody_else_changed_is_a_conflict_also_where_it_was_remembered() {
    let tables = Tables::new().await;
    let mut db = tables.connect().await;
    let tea = tables.item("tea", 5).await;
    let known = Known::default();
    let lines = Lines::from([(tea.clone(), 1)]);
    let place = async |db: &mut PgConnection, known: &Known| {
        let order = OrderId::now();
        let mut rows = known.load(db, &[&placed(order, &lines)]).await.unwrap();
        let free = rows.stock.get(&tea).unwrap().free;
        decide(&mut rows, order, domain::Input::Placed { lines: lines.clone() });
        (free, rows)
    };
    let (free, rows) = place(&mut db, &known).await;
    save(&mut db, &rows).await.unwrap();
    assert_eq!(free, 5);
    known.stock.put(rows.stock.written());

    let (remembered, rows) = place(&mut db, &known).await;
    let (read, others) = place(&mut db, &Known::default()).await;
    save(&mut db, &others).await.unwrap();
    assert_eq!((remembered, read), (4, 4));
    let failure = save(&mut db, &rows).await.unwrap_err();
    assert!(failure.is_conflict(), "{failure:?}");
    // What lost is forgotten, so the next attempt reads what is there.
    let (free, rows) = place(&mut db, &known).await;
    save(&mut db, &rows).await.unwrap();
    assert_eq!(free, 3);
}

#[tokio::test]
async fn nobody_is_told_of_a_shortage_that_is_only_remembered() {
    let tables = Tables::new().await;
    let mut db = tables.connect().await;
    let tea = tables.item("tea", 1).await;
    let (known, lines) = (Known::default(), Lines::from([(tea.clone(), 1)]));
    let (first, second) = (OrderId::now(), OrderId::now());
    let mut rows = known.load(&mut db, &[&placed(first, &lines)]).await.unwrap();
    decide(&mut rows, first, domain::Input::Placed { lines: lines.clone() });
    save(&mut db, &rows).await.unwrap();
    known.stock.put(rows.stock.written());

    let mut refused_at = Vec::new();
    for attempt in 0..2 {
        let mut rows = known.load(&mut db, &[&placed(second, &lines)]).await.unwrap();
        decide(&mut rows, second, domain::Input::Placed { lines: lines.clone() });
        if let Err(failure) = save(&mut db, &rows).await {
            assert!(matches!(failure, Failure::Retry(_)) && !failure.is_conflict(), "{failure:?}");
            refused_at.push(attempt);
        }
    }
    assert_eq!(refused_at, [0]);
}

#[tokio::test]
async fn items_that_replicas_share_are_read_anew_and_stay_locked_until_the_commit() {
    let tables = Tables::new().await;
    let (mut one, mut other) = (tables.connect().await, tables.connect().await);
    let tea = tables.item("tea", 5).await;
    let mut known = Known::default();
    let lines = Lines::from([(tea.clone(), 1)]);
    let place = domain::Input::Placed { lines: lines.clone() };
    let first = OrderId::now();
    let mut rows = known.load(&mut one, &[&placed(first, &lines)]).await.unwrap();
    decide(&mut rows, first, place.clone());
    save(&mut one, &rows).await.unwrap();
    known.stock.put(rows.stock.written());
    step(&mut other, OrderId::now(), place.clone()).await.unwrap();

    known.lock = true;
    let order = OrderId::now();
    let mut tx = one.begin().await.unwrap();
    let mut rows = known.load(&mut tx, &[&placed(order, &lines)]).await.unwrap();
    assert_eq!(rows.stock.get(&tea).unwrap().free, 3);
    let taken = "select sku from stock for update nowait";
    let refused = sqlx::query(taken).execute(&mut other).await.unwrap_err();
    assert!(refused.to_string().contains("could not obtain lock"), "{refused}");
    decide(&mut rows, order, place);
    save(&mut tx, &rows).await.unwrap();
    tx.commit().await.unwrap();
    sqlx::query(taken).execute(&mut other).await.unwrap();
    assert_eq!(rows.stock.written().count(), 0);
}
