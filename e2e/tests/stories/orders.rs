//! Every way an order can go.

use std::time::Duration;

use e2e::shop::{history, id_of, order_of, send};
use serde_json::{Value, json};

use crate::shop;

#[tokio::test]
async fn an_order_is_reserved_authorized_dispatched_captured_and_completed() {
    let shop = shop().await;
    let sku = shop.item(10).await.unwrap();
    let order = shop.place(&[(&sku, 3)], "DE", "tok_visa").await.unwrap();
    let ended = shop.ended(order, "completed").await.unwrap();
    assert_eq!(ended["total_minor"], 750);
    let mut names = history(&ended);
    // Stock and payment answer in any order.
    names[1..3].sort();
    let path = [
        "OrderPlaced",
        "PaymentAuthorized",
        "StockReserved",
        "OrderConfirmed",
        "ShipmentDispatched",
        "OrderShipped",
        "PaymentReceived",
        "OrderCompleted",
    ];
    assert_eq!(names, path);
    assert_eq!(ended["waits_for"], json!([]));
    shop.wait_for_units(&sku, (7, 0, 3)).await.unwrap();
    let payment = shop.get("payment", &format!("/payments/{order}")).await.unwrap().1;
    assert_eq!((&payment["state"], &payment["amount_minor"]), (&json!("received"), &json!(750)));
    let shipment = shop.get("shipping", &format!("/shipments/{order}")).await.unwrap().1;
    assert_eq!(shipment["state"], "dispatched");
    assert_eq!(shipment["tracking_code"], ended["tracking_code"]);
}

#[tokio::test]
async fn one_short_line_refuses_the_whole_order_and_is_named() {
    let shop = shop().await;
    let (enough, short) = (shop.item(10).await.unwrap(), shop.item(1).await.unwrap());
    let order = shop.place(&[(&enough, 2), (&short, 5)], "DE", "tok_visa").await.unwrap();
    let ended = shop.ended(order, "cancelled").await.unwrap();
    assert_eq!(ended["reason"], "OUT_OF_STOCK");
    let shortage = json!([{ "sku": short, "requested": 5, "available": 1 }]);
    assert_eq!(ended["shortages"], shortage);
    assert_eq!(shop.units(&enough).await.unwrap(), (10, 0, 0));
    assert_eq!(shop.units(&short).await.unwrap(), (1, 0, 0));
}

#[tokio::test]
async fn a_declined_card_gives_the_goods_back() {
    let shop = shop().await;
    for token in ["tok_declined", "tok_insufficient_funds", "tok_expired"] {
        let sku = shop.item(4).await.unwrap();
        let order = shop.place(&[(&sku, 4)], "DE", token).await.unwrap();
        let ended = shop.ended(order, "cancelled").await.unwrap();
        assert_eq!(ended["reason"], "PAYMENT_DECLINED", "{token}");
        shop.wait_for_units(&sku, (4, 0, 0)).await.unwrap();
    }
}

#[tokio::test]
async fn a_carrier_that_refuses_gives_goods_and_money_back() {
    let shop = shop().await;
    let sku = shop.item(1).await.unwrap();
    let order = shop.place(&[(&sku, 1)], "AQ", "tok_visa").await.unwrap();
    let ended = shop.ended(order, "cancelled").await.unwrap();
    assert_eq!(ended["reason"], "SHIPMENT_REFUSED");
    assert_eq!(shop.units(&sku).await.unwrap(), (1, 0, 0));
    let payment = shop.get("payment", &format!("/payments/{order}")).await.unwrap().1;
    assert_eq!(payment["state"], "voided");
}

#[tokio::test]
async fn a_customer_who_cancels_before_confirmation_wins_at_once() {
    let shop = shop().await;
    let sku = shop.item(2).await.unwrap();
    // The provider takes its time, so that the order is not confirmed yet.
    let order = shop.place(&[(&sku, 2)], "DE", "tok_slow").await.unwrap();
    shop.happened(order, "StockReserved").await.unwrap();
    let (status, answer) = shop.act(order, "cancel").await.unwrap();
    assert_eq!((status, &answer["state"]), (202, &json!("cancelling")), "{answer}");
    let ended = shop.ended(order, "cancelled").await.unwrap();
    assert_eq!(ended["reason"], "CUSTOMER");
    assert_eq!(shop.units(&sku).await.unwrap(), (2, 0, 0));
    let again = shop.act(order, "cancel").await.unwrap();
    assert_eq!(again.0, 202, "cancelling twice is no error: {}", again.1);
}

#[tokio::test]
async fn a_customer_who_cancels_after_confirmation_wins_while_the_carrier_hesitates() {
    let shop = shop().await;
    let sku = shop.item(1).await.unwrap();
    let order = shop.place(&[(&sku, 1)], "NZ", "tok_visa").await.unwrap();
    shop.happened(order, "OrderConfirmed").await.unwrap();
    let (status, answer) = shop.act(order, "cancel").await.unwrap();
    assert_eq!((status, &answer["state"]), (202, &json!("cancellation_requested")), "{answer}");
    let ended = shop.ended(order, "cancelled").await.unwrap();
    let names = history(&ended);
    assert!(names.contains(&"ShipmentCancelled".to_owned()), "{names:?}");
    assert_eq!(shop.units(&sku).await.unwrap(), (1, 0, 0));
}

#[tokio::test]
async fn a_customer_who_cancels_too_late_is_told_so() {
    let shop = shop().await;
    let sku = shop.item(1).await.unwrap();
    let order = shop.place(&[(&sku, 1)], "DE", "tok_visa").await.unwrap();
    shop.ended(order, "completed").await.unwrap();
    let (status, problem) = shop.act(order, "cancel").await.unwrap();
    assert_eq!((status, &problem["code"]), (409, &json!("already_completed")), "{problem}");
}

#[tokio::test]
async fn a_client_that_has_seen_nothing_yet_follows_an_order_from_its_beginning() {
    let shop = shop().await;
    let sku = shop.item(1).await.unwrap();
    let order = shop.place(&[(&sku, 1)], "DE", "tok_visa").await.unwrap();
    shop.ended(order, "completed").await.unwrap();
    let path = format!("/orders/{order}/events");
    for (last, status) in [("", 200), ("0", 200), ("99", 204), ("first", 400), ("-1", 400)] {
        let request = shop.request("GET", "order", &path).unwrap();
        let (found, stream) = send(request.header("Last-Event-ID", last)).await.unwrap();
        assert_eq!(found, status, "{last}: {stream}");
        if found == 200 {
            assert!(stream.as_str().unwrap().starts_with("id: 1\nevent: OrderPlaced"), "{stream}");
        }
    }
}

#[tokio::test]
async fn an_answer_that_is_lost_is_asked_for_again_and_money_moves_once() {
    let shop = shop().await;
    for (destination, token) in [("DE", "tok_timeout"), ("DE", "tok_error"), ("TT", "tok_visa")] {
        let sku = shop.item(1).await.unwrap();
        let order = shop.place(&[(&sku, 1)], destination, token).await.unwrap();
        shop.ended(order, "completed").await.unwrap();
        let ledger = shop.get("sandbox", &format!("/ledger/{order}")).await.unwrap().1;
        let payments = ledger["payments"].as_array().unwrap();
        assert_eq!(payments.len(), 1, "{destination} {token}: {ledger}");
        assert_eq!(payments[0]["captured_minor"], 250, "{destination} {token}: {ledger}");
    }
}

#[tokio::test]
async fn a_returned_order_gives_goods_and_money_back() {
    let shop = shop().await;
    let sku = shop.item(5).await.unwrap();
    let order = shop.place(&[(&sku, 5)], "DE", "tok_visa").await.unwrap();
    let early = shop.act(order, "return").await.unwrap();
    assert!(early.0 == 409 || early.0 == 202, "{}", early.1);
    shop.wait("completion", async || {
        let state = shop.order(order).await?["state"].clone();
        Ok(["completed", "returning", "returned"].iter().any(|s| state == *s).then_some(()))
    })
    .await
    .unwrap();
    assert_eq!(shop.act(order, "return").await.unwrap().0, 202);
    shop.ended(order, "returned").await.unwrap();
    shop.wait_for_units(&sku, (5, 0, 0)).await.unwrap();
    let payment = shop.get("payment", &format!("/payments/{order}")).await.unwrap().1;
    assert_eq!(payment["state"], "refunded");
    assert_eq!(shop.act(order, "return").await.unwrap().0, 202, "returning twice is no error");
}

#[tokio::test]
async fn the_same_key_places_one_order_however_often_and_at_once_it_is_sent() {
    let shop = shop().await;
    let sku = shop.item(100).await.unwrap();
    let body = order_of(&[(&sku, 1)], "DE", "tok_visa");
    let key = format!("key-{sku}");
    let sent = (0..20).map(|_| shop.place_with_key(&body, &key));
    let answers = futures::future::try_join_all(sent).await.unwrap();
    let first = &answers[0].1;
    for (status, answer) in &answers {
        assert_eq!((status, answer), (&201, first));
    }
    shop.ended(id_of(first).unwrap(), "completed").await.unwrap();
    let later = shop.place_with_key(&body, &key).await.unwrap();
    assert_eq!((later.0, &later.1), (201, first), "the same answer, also after the order's end");
    let other = order_of(&[(&sku, 2)], "DE", "tok_visa");
    let (status, problem) = shop.place_with_key(&other, &key).await.unwrap();
    assert_eq!(status, 422, "{problem}");
    shop.wait_for_units(&sku, (99, 0, 1)).await.unwrap();
}

#[tokio::test]
async fn of_many_who_want_the_last_units_exactly_as_many_get_them() {
    let shop = shop().await;
    let sku = shop.item(7).await.unwrap();
    let lines = [(sku.as_str(), 1)];
    let placed = (0..30).map(|_| shop.place(&lines, "DE", "tok_visa"));
    let orders = futures::future::try_join_all(placed).await.unwrap();
    let mut completed = 0;
    for order in orders {
        let ended = shop
            .wait("an end", async || {
                let found = shop.order(order).await?;
                let ended = found["state"] == "completed" || found["state"] == "cancelled";
                Ok(ended.then_some(found))
            })
            .await
            .unwrap();
        completed += i32::from(ended["state"] == "completed");
    }
    assert_eq!(completed, 7);
    shop.wait_for_units(&sku, (0, 0, 7)).await.unwrap();
}

#[tokio::test]
async fn those_who_wait_get_the_end_and_those_who_watch_get_every_step() {
    let shop = shop().await;
    let sku = shop.item(2).await.unwrap();
    let order = shop.place(&[(&sku, 1)], "DE", "tok_visa").await.unwrap();
    let watching = shop.request("GET", "order", &format!("/orders/{order}/events")).unwrap();
    let waiting = shop.get("order", &format!("/orders/{order}?wait=terminal")).await.unwrap();
    assert_eq!((waiting.0, &waiting.1["state"]), (200, &json!("completed")));
    let stream = watching.timeout(Duration::from_secs(30)).send().await.unwrap();
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    let text = stream.text().await.unwrap();
    let events: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("event: ")).collect();
    assert_eq!(events, history(&waiting.1));
}

#[tokio::test]
async fn orders_are_listed_newest_first_a_page_at_a_time() {
    let shop = shop().await;
    let sku = shop.item(9).await.unwrap();
    let customer = format!("lister-{}", std::process::id());
    let mut placed = Vec::new();
    for n in 0..5 {
        let mut body = order_of(&[(&sku, 1)], "DE", "tok_visa");
        body["customer_id"] = json!(customer);
        let answer = shop.place_with_key(&body, &format!("{sku}-{n}")).await.unwrap();
        placed.push(answer.1["order_id"].clone());
    }
    placed.reverse();
    let mut listed: Vec<Value> = Vec::new();
    let mut cursor = String::new();
    loop {
        let path = format!("/orders?customer_id={customer}&limit=2{cursor}");
        let (status, page) = shop.get("order", &path).await.unwrap();
        assert_eq!(status, 200, "{page}");
        listed.extend(page["orders"].as_array().unwrap().iter().map(|o| o["order_id"].clone()));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(listed, placed);
}
