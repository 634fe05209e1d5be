//! Brokers are killed while customers order. Orders are accepted without any; how soon they end depends on how many
//! are left.

use std::time::{Duration, Instant};

use e2e::rig::REST;
use e2e::shop::{Shop, id_of, order_of, send};
use flotilla::audit;
use local::testing::own_servers;
use uuid::Uuid;

use crate::shop_alone;

/// Of the orders of a run; less than the time that a customer waits for a page.
const ACCEPTED_WITHIN: Duration = Duration::from_secs(5);
/// Orders that arrive each second.
const RATE: u64 = 10;

/// Orders that arrive steadily, each sent once, for as long as `meanwhile` takes. Every one has to be accepted.
async fn order_during(shop: &Shop, meanwhile: impl AsyncFnOnce()) -> Vec<Uuid> {
    let sku = shop.item(100_000).await.unwrap();
    let body = order_of(&[(&sku, 1)], "DE", "tok_visa");
    let mut moments = tokio::time::interval(Duration::from_millis(1_000 / RATE));
    let mut sent = tokio::task::JoinSet::new();
    let ordering = async {
        loop {
            moments.tick().await;
            let (shop, body) = (shop.clone(), body.clone());
            sent.spawn(async move {
                let asked = Instant::now();
                let answer = shop.place_with_key(&body, &Uuid::new_v4().to_string()).await;
                (answer, asked.elapsed())
            });
        }
    };
    tokio::select! {
        () = meanwhile() => {}
        () = ordering => {}
    }
    let mut orders = Vec::new();
    while let Some(answered) = sent.join_next().await {
        let (answer, took) = answered.unwrap();
        let (status, placed) = answer.unwrap();
        assert_eq!(status, 201, "{placed}");
        assert!(took < ACCEPTED_WITHIN, "accepted after {took:?}");
        orders.push(id_of(&placed).unwrap());
    }
    orders
}

async fn all_end(shop: &Shop, orders: Vec<Uuid>) {
    for order in orders {
        shop.ended(order, "completed").await.unwrap();
    }
    let report = audit::run(&shop.fleet, REST).await.unwrap();
    assert!(report.is_clean(), "{}", report.broken());
}

/// Places an order and waits for its end: whatever the brokers are asked works again.
async fn one_order_ends(shop: &Shop) {
    let sku = shop.item(1).await.unwrap();
    let order = shop.place(&[(&sku, 1)], "DE", "tok_visa").await.unwrap();
    shop.ended(order, "completed").await.unwrap();
}

#[tokio::test]
async fn orders_end_although_a_broker_is_killed_and_while_it_comes_back() {
    let (shop, _alone) = shop_alone().await;
    let servers = own_servers().await.unwrap();
    let orders = order_during(&shop, async || {
        one_order_ends(&shop).await;
        servers.kill("kafka").await.unwrap();
        one_order_ends(&shop).await;
        servers.restart().await.unwrap();
        one_order_ends(&shop).await;
    })
    .await;
    all_end(&shop, orders).await;
}

#[tokio::test]
async fn orders_are_accepted_while_two_of_three_brokers_are_away_and_end_when_they_are_back() {
    let (shop, _alone) = shop_alone().await;
    let servers = own_servers().await.unwrap();
    let sku = shop.item(1).await.unwrap();
    let mut waits = None;
    let orders = order_during(&shop, async || {
        for name in ["kafka-2", "kafka-3"] {
            servers.kill(name).await.unwrap();
        }
        let order = shop.place(&[(&sku, 1)], "DE", "tok_visa").await.unwrap();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        shop.wait("the loss to be noticed", async || {
            let url = format!("{}/readyz", shop.fleet.admin_url("order"));
            let answer = send(http.get(url)).await?;
            // It goes on serving, and says what waits.
            assert_eq!(answer.0, 200, "{}", answer.1);
            Ok((!answer.1["waits_for"]["kafka"].is_null()).then_some(()))
        })
        .await
        .unwrap();
        assert_eq!(shop.order(order).await.unwrap()["state"], "placed");
        waits = Some(order);
        servers.restart().await.unwrap();
        one_order_ends(&shop).await;
    })
    .await;
    all_end(&shop, orders.into_iter().chain(waits).collect()).await;
}
