//! Services are killed while customers order. Separate from servers that are away: here only chance knows
//! what dies when, and the audit alone says whether it went well.

use std::process::Command;
use std::time::Duration;

use flotilla::audit;
use local::SERVICES;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

use e2e::rig::{REST, TURN, open, place_orders};
use e2e::shop::Shop;

/// Orders of the run in which services are killed.
const ORDERS: usize = 2_000;
/// How often each service is killed.
const KILLS: usize = 2;

#[tokio::test]
async fn two_thousand_orders_end_well_while_every_service_is_killed_twice() {
    let _turn = TURN.lock().await;
    let shop = open().await.unwrap();
    let seed = std::env::var("CHAOS_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed: u64 = seed.unwrap_or_else(rand::random);
    println!("CHAOS_SEED={seed} runs these kills again");
    let mut random = SmallRng::seed_from_u64(seed);
    let plenty = shop.item(1_000_000).await.unwrap();
    let scarce = shop.item(200).await.unwrap();

    let mut kills: Vec<&'static str> = SERVICES.repeat(KILLS);
    let placing = place_orders(&shop, ORDERS, [&plenty, &scarce], random.random());
    let killing = async {
        while !kills.is_empty() {
            let service = kills.swap_remove(random.random_range(0..kills.len()));
            tokio::time::sleep(Duration::from_millis(random.random_range(100..900))).await;
            shop.fleet.kill(service).await.unwrap();
            tokio::time::sleep(Duration::from_millis(random.random_range(0..500))).await;
            shop.fleet.start_service(service).await.unwrap();
        }
    };
    let (placed, ()) = tokio::join!(placing, killing);
    placed.unwrap();
    let report = audit::run(&shop.fleet, REST).await.unwrap();
    assert!(report.is_clean(), "seed {seed}:\n{}", report.broken());
    every_decision_would_be_made_again(&shop, seed);
}

/// Whatever was redelivered, and whoever decided: what was said follows from what was heard.
fn every_decision_would_be_made_again(shop: &Shop, seed: u64) {
    let environment = shop.fleet.environment();
    for service in SERVICES {
        let verify = Command::new(flotilla::fleet::programs().unwrap().join(service))
            .args(["verify", "--json", "--quiet", "0"])
            .env("FLOTILLA_KAFKA_BROKERS", environment.kafka_brokers())
            .env("FLOTILLA_REGISTRY_URL", environment.registry_url())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&verify.stdout);
        assert!(verify.status.success(), "seed {seed}: {said}");
        let report: Value = serde_json::from_str(&said).unwrap();
        assert_eq!(report["unjudged"], json!({}), "seed {seed}: {said}");
    }
}
