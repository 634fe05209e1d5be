use super::*;

#[tokio::test]
async fn only_what_is_newer_than_known_is_read() {
    let db = database().await;
    let (moved, still) = (OrderId::now(), OrderId::now());
    let rows = [moved, still].map(|id| new_row(id, &id.to_string(), State::AwaitingBoth));
    insert(&db, rows).await.unwrap();
    let ids = [moved.0, still.0, Uuid::now_v7()];
    assert_eq!(changed_since(&db, &ids, &[0, 0, 0]).await.unwrap().len(), 2);
    assert_eq!(changed_since(&db, &ids, &[1, 1, 0]).await.unwrap().len(), 0);
    advance(&db, moved, State::AwaitingStock, Kind::PaymentAuthorized).await;
    let newer = changed_since(&db, &ids, &[1, 1, 0]).await.unwrap();
    assert_eq!(newer.len(), 1);
    assert_eq!((newer[0].order_id, newer[0].state), (moved.0, State::AwaitingStock));
    let lines: serde_json::Value = serde_json::from_str(newer[0].lines.get()).unwrap();
    let line = serde_json::json!({"sku": "TEA", "quantity": 2, "unit_price_minor": 250});
    assert_eq!(lines, serde_json::json!([line]));
}

#[tokio::test]
async fn lists_are_newest_first_and_filtered() {
    let db = database().await;
    let ids: Vec<OrderId> = (0..5).map(|_| OrderId::now()).collect();
    let rows = ids.iter().enumerate().map(|(n, id)| {
        let state = if n == 1 { State::Completed } else { State::AwaitingBoth };
        new_row(*id, &n.to_string(), state)
    });
    insert(&db, rows).await.unwrap();
    let all = Filter { customer_id: None, states: codes_of(None), before: Uuid::max() };
    let listed = async |filter: &Filter<'_>, limit| {
        let rows = page(&db, filter, limit).await.unwrap();
        rows.into_iter().map(|row| OrderId(row.order_id)).collect::<Vec<_>>()
    };
    assert_eq!(listed(&all, 3).await, [ids[4], ids[3], ids[2]]);
    assert_eq!(listed(&Filter { before: ids[2].0, ..all }, 3).await, [ids[1], ids[0]]);
    let completed = codes_of(Some(crate::phase::Phase::Completed));
    assert_eq!(listed(&Filter { states: completed, ..all }, 3).await, [ids[1]]);
    assert_eq!(listed(&Filter { customer_id: Some("customer-1"), ..all }, 9).await.len(), 5);
    assert_eq!(listed(&Filter { customer_id: Some("nobody"), ..all }, 9).await, []);
    // Fewer orders than a stride: there is no further page.
    assert_eq!(end_of_stride(&db, &all).await.unwrap(), None);
}
