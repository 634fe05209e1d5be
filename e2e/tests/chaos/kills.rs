//! Services are killed while customers order. Separate from servers that are away: here only chance knows
//! what dies when, and the audit alone says whether it went well.

use std::time::Duration;

use e2e::shop::{Shop, order_of};
use flotilla::audit;
use local::SERVICES;
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use serde_json::Value;

use e2e::rig::{REST, TURN, open};

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
    let placing = place_orders(&shop, &plenty, &scarce, random.random());
    let killing = async {
        while !kills.is_empty() {
            let service = kills.swap_remove(random.random_range(0..kills.len()));
            tokio::time::sleep(Duration::from_millis(random.random_range(100..900))).await;
            shop.fleet.kill(service).await.unwrap();
            tokio::time::sleep(Duration::from_millis(random.random_range(0..500))).await;
            shop.fleet.start_service(service).await.unwrap();
        }
    };
    let (accepted, ()) = tokio::join!(placing, killing);
    assert!(accepted > ORDERS / 2, "only {accepted} orders were accepted");
    let report = audit::run(&shop.fleet, REST).await.unwrap();
    assert!(report.is_clean(), "seed {seed}:\n{}", report.broken());
}

/// Sends mixed orders, each until it is accepted or refused: a caller whose connection breaks asks
/// again with the same key. Returns how many were accepted.
async fn place_orders(shop: &Shop, plenty: &str, scarce: &str, seed: u64) -> usize {
    let mut random = SmallRng::seed_from_u64(seed);
    let mut accepted = 0;
    for round in 0..ORDERS / 20 {
        let bodies: Vec<Value> = (0..20)
            .map(|_| {
                let sku = if random.random_bool(0.2) { scarce } else { plenty };
                let quantity = random.random_range(1..=3);
                let destination = ["DE", "DE", "DE", "DE", "FR", "AQ"].choose(&mut random).unwrap();
                let token =
                    ["tok_visa", "tok_visa", "tok_visa", "tok_visa", "tok_declined", "tok_error"];
                let token = token.choose(&mut random).unwrap();
                order_of(&[(sku, quantity)], destination, token)
            })
            .collect();
        let sent = bodies.iter().enumerate().map(|(n, body)| {
            let key = format!("{plenty}-{round}-{n}");
            async move { place_until_answered(shop, body, &key).await }
        });
        let orders = futures::future::join_all(sent).await;
        for order in orders.iter().flatten() {
            accepted += 1;
            // Some customers change their minds, at whatever moment.
            if random.random_bool(0.1) {
                let _refused_or_away = shop.act(*order, "cancel").await;
            }
        }
    }
    accepted
}

async fn place_until_answered(shop: &Shop, body: &Value, key: &str) -> Option<uuid::Uuid> {
    shop.wait("an answer to an order", async || match shop.place_with_key(body, key).await {
        Ok((201, placed)) => Ok(Some(e2e::shop::id_of(&placed).ok())),
        Ok((429 | 503, _)) | Err(_) => Ok(None),
        Ok((status, problem)) => anyhow::bail!("{status}: {problem}"),
    })
    .await
    .unwrap()
}
