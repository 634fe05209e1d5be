//! Writers of the same rows never overwrite each other, whatever each of them remembers. Of reservations, which
//! are rows by key, the chassis' own tests say so.

use chassis::Service;
use events::OrderId;
use inventory::Inventory;
use inventory::domain::{self, Lines, State};
use sqlx::Connection;

use crate::tables::{Tables, placed, step, told};

#[tokio::test]
async fn units_that_another_replica_took_are_not_given_away_again_by_one_that_remembers_them() {
    let tables = Tables::new().await;
    let tea = tables.item("tea", 5).await;
    let lines = Lines::from([(tea.clone(), 1)]);
    let (mut one, mut other) = (tables.replica().await, tables.replica().await);
    for replica in [&mut one, &mut other] {
        told(replica, placed(OrderId::now(), &lines)).await.unwrap();
    }
    // It remembers four free units, and there are three.
    told(&mut one, placed(OrderId::now(), &lines)).await.unwrap();
    assert_eq!(tables.units(&tea).await, (2, 3, 0));
}

#[tokio::test]
async fn nobody_is_told_of_a_shortage_that_is_only_remembered() {
    let tables = Tables::new().await;
    let tea = tables.item("tea", 1).await;
    let lines = Lines::from([(tea.clone(), 1)]);
    let (mut one, mut other) = (tables.replica().await, tables.replica().await);
    let [first, second] = [OrderId::now(), OrderId::now()];
    told(&mut one, placed(first, &lines)).await.unwrap();
    told(&mut other, step(first, domain::Input::Cancelled)).await.unwrap();
    // It remembers that none is free.
    told(&mut one, placed(second, &lines)).await.unwrap();
    assert_eq!(tables.state_of(second).await, Some(State::Reserved { lines }));
    assert_eq!(tables.units(&tea).await, (0, 1, 0));
}

#[tokio::test]
async fn items_that_replicas_share_stay_locked_until_the_commit() {
    let tables = Tables::new().await;
    let (mut one, mut other) = (tables.connect().await, tables.connect().await);
    let lines = Lines::from([(tables.item("tea", 5).await, 1)]);
    let mut tx = one.begin().await.unwrap();
    let service = Inventory::default();
    let _rows = service.load_locked(&mut tx, &[&placed(OrderId::now(), &lines)]).await.unwrap();
    let taken = "select sku from stock for update nowait";
    let refused = sqlx::query(taken).execute(&mut other).await.unwrap_err();
    assert!(refused.to_string().contains("could not obtain lock"), "{refused}");
    tx.commit().await.unwrap();
    sqlx::query(taken).execute(&mut other).await.unwrap();
}

#[tokio::test]
async fn items_that_replicas_share_are_neither_remembered_nor_taken_from_memory() {
    let tables = Tables::new().await;
    let mut db = tables.connect().await;
    let tea = tables.item("tea", 5).await;
    let input = placed(OrderId::now(), &Lines::from([(tea.clone(), 1)]));
    let service = Inventory::default();
    // A batch that leaves another number of units behind, in memory only: so it shows where one comes from.
    let leave = |mut rows: inventory::store::Rows, free| {
        rows.stock.get_mut(&tea).unwrap().free = free;
        service.committed(rows);
    };
    let free = |rows: &inventory::store::Rows| rows.stock.get(&tea).unwrap().free;
    leave(service.load(&mut db, &[&input]).await.unwrap(), 7);
    let alone = service.load(&mut db, &[&input]).await.unwrap();
    assert_eq!(free(&alone), 7, "what a replica wrote by itself it remembers");
    leave(alone, 7);
    let shared = service.load_locked(&mut db, &[&input]).await.unwrap();
    assert_eq!(free(&shared), 5);
    leave(shared, 9);
    let after = service.load(&mut db, &[&input]).await.unwrap();
    assert_ne!(free(&after), 9, "another replica may write it next");
}
