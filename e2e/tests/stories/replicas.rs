//! A second replica of the order service beside the fleet's own.

use std::time::Duration;

use e2e::shop::{PATIENCE, Shop, expect, history, id_of, order_of, send};
use local::{Process, Settings};
use reqwest::Client;
use uuid::Uuid;

use crate::shop;

/// How long a replica may take to stop.
const STOP: Duration = Duration::from_secs(25);

/// Starts it on free ports; answers its public address, too.
async fn second_replica(shop: &Shop) -> (Process, String) {
    let ports = Settings::on_free_ports(&shop.fleet.environment().settings().root).unwrap().ports;
    let process = shop.fleet.start_replica("order", "order-second", ports).await.unwrap();
    (process, format!("http://127.0.0.1:{}", ports.get("order")))
}

/// Follows an order at a replica to its end; answers the names of what it was told.
async fn follow(http: &Client, replica: &str, order: Uuid) -> Vec<String> {
    let stream = http.get(format!("{replica}/orders/{order}/events")).send().await.unwrap();
    assert_eq!(stream.status(), 200);
    // It ends with the order, or else when the client's patience does.
    let text = stream.text().await.unwrap();
    text.lines().filter_map(|line| line.strip_prefix("event: ")).map(str::to_owned).collect()
}

#[tokio::test]
async fn whoever_watches_an_order_at_one_replica_sees_what_the_other_does_to_it() {
    let shop = shop().await;
    let http = Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
    let sku = shop.item(4).await.unwrap();
    let first = shop.fleet.url("order");
    let (process, second) = second_replica(&shop).await;
    let body = order_of(&[(&sku, 1)], "DE", "tok_visa");
    for replica in [&first, &second, &first, &second] {
        let request = http.post(format!("{replica}/orders")).json(&body);
        let placed = send(request.header("Idempotency-Key", Uuid::new_v4().to_string())).await;
        let order = id_of(&expect(201, placed.unwrap()).unwrap()).unwrap();
        // The partitions of its key belong to one of the two. Watched at both, it is watched at the one
        // that takes none of its steps.
        let (at_first, at_second) =
            tokio::join!(follow(&http, &first, order), follow(&http, &second, order));
        let ended = shop.ended(order, "completed").await.unwrap();
        assert_eq!(at_first, history(&ended));
        assert_eq!(at_second, history(&ended));
    }
    process.stop(STOP).await.unwrap();
}
