//! A second replica of a service beside the fleet's own.

use std::time::Duration;

use e2e::shop::{PATIENCE, Shop, expect, history, id_of, order_of, send};
use local::{Process, Settings};
use reqwest::Client;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::shop;

/// How long a replica may take to stop.
const STOP: Duration = Duration::from_secs(25);

/// Starts it on free ports; returns its public address, too.
async fn second_replica(shop: &Shop, service: &'static str) -> (Process, String) {
    let ports = Settings::on_free_ports(&shop.fleet.environment().settings().root).unwrap().ports;
    let name = format!("{service}-second");
    let process = shop.fleet.start_replica(service, &name, ports).await.unwrap();
    (process, format!("http://127.0.0.1:{}", ports.get(service)))
}

/// A row of inventory's that is locked until it is let go.
struct Held {
    db: PgConnection,
    process: i32,
}

impl Held {
    async fn lock(shop: &Shop, sku: &str) -> Self {
        let mut db = shop.database("inventory").await.unwrap();
        sqlx::query("begin").execute(&mut db).await.unwrap();
        let lock =
            sqlx::query_scalar("select pg_backend_pid() from stock where sku = $1 for update");
        let process = lock.bind(sku).fetch_one(&mut db).await.unwrap();
        Held { db, process }
    }

    /// Waits until somebody waits for it.
    async fn awaited(&self, shop: &Shop) {
        let mut db = shop.database("inventory").await.unwrap();
        let waits =
            "select exists (select from pg_stat_activity where $1 = any(pg_blocking_pids(pid)))";
        shop.wait("somebody to wait for a row", async || {
            let waits: bool =
                sqlx::query_scalar(waits).bind(self.process).fetch_one(&mut db).await?;
            Ok(waits.then_some(()))
        })
        .await
        .unwrap();
    }

    async fn let_go(mut self) {
        sqlx::query("rollback").execute(&mut self.db).await.unwrap();
    }
}

/// Follows an order at a replica to its end; returns the names of what it was told.
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
    let (process, second) = second_replica(&shop, "order").await;
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

#[tokio::test]
async fn the_price_that_stands_is_the_one_committed_last_whichever_replica_began_first() {
    let shop = shop().await;
    let mut skus =
        [shop.item(0).await.unwrap(), shop.item(0).await.unwrap(), shop.item(0).await.unwrap()];
    skus.sort();
    let [gate, held, tea] = skus;
    let first = shop.fleet.url("inventory");
    let (process, second) = second_replica(&shop, "inventory").await;
    // While the first replica waits for one item, what it is to do with two others gathers into a batch.
    // That batch begins, and waits for an item that is locked before the tea.
    let (gate_lock, lock) = (Held::lock(&shop, &gate).await, Held::lock(&shop, &held).await);
    let at_first = |sku: &str, minor| {
        let (shop, first, sku) = (shop.clone(), first.clone(), sku.to_owned());
        tokio::spawn(async move { expect(200, shop.set_price(&first, &sku, minor).await?) })
    };
    let mut asked = vec![at_first(&gate, 500)];
    gate_lock.awaited(&shop).await;
    asked.extend([at_first(&held, 500), at_first(&tea, 600)]);
    for _ in 0..10 {
        shop.units(&tea).await.unwrap();
    }
    gate_lock.let_go().await;
    lock.awaited(&shop).await;
    // Begun later, committed earlier.
    expect(200, shop.set_price(&second, &tea, 700).await.unwrap()).unwrap();
    lock.let_go().await;
    for answer in asked {
        answer.await.unwrap().unwrap();
    }
    let stands =
        expect(200, shop.get("inventory", &format!("/stock/{tea}")).await.unwrap()).unwrap();
    let stands = stands["unit_price_minor"].as_i64().unwrap();
    let number = "select sequence from stock where sku = $1";
    let mut db = shop.database("inventory").await.unwrap();
    let said: i64 = sqlx::query_scalar(number).bind(&tea).fetch_one(&mut db).await.unwrap();
    let mut db = shop.database("order").await.unwrap();
    shop.wait("order to have heard all of both", async || {
        let number = sqlx::query_scalar("select sequence from prices where sku = $1");
        let heard: i64 = number.bind(&tea).fetch_one(&mut db).await?;
        Ok((heard == said).then_some(()))
    })
    .await
    .unwrap();
    assert_eq!(shop.charged(&tea).await.unwrap(), Some(stands));
    process.stop(STOP).await.unwrap();
}
