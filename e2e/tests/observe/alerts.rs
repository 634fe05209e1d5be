//! Alerts on a running fleet: Prometheus can judge each, none fires while all is well, and faults are noticed.

use e2e::rig::{TURN, open};
use serde_json::Value;
use sqlx::Connection;

use crate::prometheus::Prometheus;

#[tokio::test]
async fn nothing_fires_until_a_service_stops_or_cannot_commit_and_not_after_it_is_back() {
    let _turn = TURN.lock().await;
    let shop = open().await.unwrap();
    let prometheus = Prometheus::of(&shop).await;
    let sku = shop.item(3).await.unwrap();
    let order = shop.place(&[(&sku, 1)], "DE", "tok_visa").await.unwrap();
    shop.ended(order, "completed").await.unwrap();
    shop.wait("every rule to be judged", async || {
        let answer = prometheus.get("/api/v1/rules", &[]).await?;
        let groups = answer["data"]["groups"].as_array().cloned().unwrap_or_default();
        let rules: Vec<&Value> =
            groups.iter().flat_map(|group| group["rules"].as_array().unwrap()).collect();
        for rule in &rules {
            assert_ne!(rule["health"], "err", "{}: {}", rule["name"], rule["lastError"]);
        }
        let judged = rules.iter().filter(|rule| rule["health"] == "ok").count();
        Ok((judged > 20 && judged == rules.len()).then_some(()))
    })
    .await
    .unwrap();
    // Figures are read every few seconds: one may still show an event as waiting that has been processed since.
    shop.wait("no alert to fire", async || {
        let firing = prometheus.ask("ALERTS{alertstate='firing'}").await?;
        Ok(firing.is_empty().then_some(()))
    })
    .await
    .unwrap();

    shop.fleet.stop_service("payment").await.unwrap();
    prometheus.wait_for_alert(&shop, "FlotillaServiceDown", "payment", true).await;
    shop.fleet.start_service("payment").await.unwrap();
    prometheus.wait_for_alert(&shop, "FlotillaServiceDown", "payment", false).await;

    // Work for inventory, which it cannot commit.
    let mut db = shop.database("inventory").await.unwrap();
    let mut held = db.begin().await.unwrap();
    sqlx::query("lock table stock in access exclusive mode").execute(&mut *held).await.unwrap();
    let order = shop.place(&[(&sku, 1)], "DE", "tok_visa").await.unwrap();
    prometheus.wait_for_alert(&shop, "FlotillaNothingCommitted", "inventory", true).await;
    prometheus.wait_for_alert(&shop, "FlotillaNoneReady", "inventory", true).await;
    held.rollback().await.unwrap();
    shop.ended(order, "completed").await.unwrap();
    prometheus.wait_for_alert(&shop, "FlotillaNothingCommitted", "inventory", false).await;
    prometheus.wait_for_alert(&shop, "FlotillaNoneReady", "inventory", false).await;
    prometheus.stop().await;
}
