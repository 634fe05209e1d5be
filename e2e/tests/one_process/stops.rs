//! The process ends while customers order: because it is told to, because it is killed, because a part of one service
//! has ended. The audit says whether all went well.

use std::time::Duration;

use e2e::rig::{REST, place_orders};
use e2e::shop::{Shop, expect, send};
use flotilla::audit;
use flotilla::fleet::Fleet;
use local::{Process, SERVICES, Settings};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use reqwest::Client;
use serde_json::Value;

use crate::shop_alone;

/// Orders during which the process ends again and again.
const ORDERS: usize = 600;
/// How often it does.
const ENDS: usize = 3;
/// How long it may take to stop; longer than the limit that it is given here.
const STOP: Duration = Duration::from_secs(65);

/// The same fleet; what is started through it says when it has stopped. It has the time that a busy machine takes:
/// that nothing is cut short is to say something about the stop.
fn talkative(fleet: &Fleet) -> Fleet {
    let patient = fleet.with_variable("FLOTILLA_SHUTDOWN_TIMEOUT_MS", "60000");
    patient.with_variable("FLOTILLA_LOG", "info")
}

/// The process in which all services run.
fn process(fleet: &Fleet) -> Process {
    let process = fleet.process("order").unwrap();
    assert!(SERVICES.iter().all(|service| fleet.process(service).unwrap().pid == process.pid));
    process
}

/// The services that have written a line with this text to its log.
fn services_that_say(process: &Process, text: &str) -> Vec<String> {
    let output = process.output();
    let lines = output.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let said =
        lines.filter(|line| line["message"].as_str().is_some_and(|said| said.contains(text)));
    let mut services: Vec<String> =
        said.map(|line| line["service"].as_str().unwrap().to_owned()).collect();
    services.sort();
    services
}

fn all_services() -> Vec<String> {
    let mut services = SERVICES.map(str::to_owned).to_vec();
    services.sort();
    services
}

/// Has customers order while `end` ends the process again and again, and compares the books.
async fn end_while_customers_order(shop: &Shop, end: impl AsyncFn(&Process)) {
    let seed = rand::random();
    let mut random = SmallRng::seed_from_u64(seed);
    let plenty = shop.item(1_000_000).await.unwrap();
    let scarce = shop.item(100).await.unwrap();
    let placing = place_orders(shop, ORDERS, [&plenty, &scarce], random.random());
    let ending = async {
        for _ in 0..ENDS {
            // Any moment is as good as another.
            tokio::time::sleep(Duration::from_millis(random.random_range(100..900))).await;
            let process = process(&shop.fleet);
            end(&process).await;
            talkative(&shop.fleet).start_services().await.unwrap();
        }
    };
    let (placed, ()) = tokio::join!(placing, ending);
    placed.unwrap();
    let report = audit::run(&shop.fleet, REST).await.unwrap();
    assert!(report.is_clean(), "seed {seed}:\n{}", report.broken());
}

#[tokio::test]
async fn a_process_that_is_told_to_stop_under_load_stops_every_service_and_loses_nothing() {
    let (shop, _alone) = shop_alone().await;
    shop.fleet.stop_services().await.unwrap();
    talkative(&shop.fleet).start_services().await.unwrap();
    end_while_customers_order(&shop, async |process| {
        process.stop(STOP).await.unwrap();
        assert_eq!(services_that_say(process, "stopped"), all_services(), "{}", process.log_tail());
        assert_eq!(services_that_say(process, "cut short"), [""; 0], "{}", process.log_tail());
    })
    .await;
}

#[tokio::test]
async fn a_process_that_is_killed_under_load_loses_nothing() {
    let (shop, _alone) = shop_alone().await;
    end_while_customers_order(&shop, async |process| process.kill().await.unwrap()).await;
}

#[tokio::test]
async fn the_end_of_a_part_of_one_service_stops_the_others_in_good_order() {
    let (shop, _alone) = shop_alone().await;
    let sku = shop.item(1).await.unwrap();
    shop.fleet.stop_services().await.unwrap();
    let brittle = talkative(&shop.fleet);
    let brittle = brittle.with_variable("FLOTILLA_PANIC_AT", "payment/relay.before_publish");
    brittle.start_services().await.unwrap();
    let process = process(&shop.fleet);
    let order = shop.place(&[(&sku, 1)], "DE", "tok_visa").await.unwrap();
    shop.wait("the process to end", async || Ok((!process.is_alive()).then_some(())))
        .await
        .unwrap();
    assert_eq!(services_that_say(&process, "has ended unexpectedly: it panicked"), ["payment"; 2]);
    assert_eq!(services_that_say(&process, "stopped"), all_services(), "{}", process.log_tail());
    shop.fleet.start_services().await.unwrap();
    shop.ended(order, "completed").await.unwrap();
    let report = audit::run(&shop.fleet, REST).await.unwrap();
    assert!(report.is_clean(), "{}", report.broken());
}

#[tokio::test]
async fn services_move_to_processes_of_their_own_and_back_while_orders_are_under_way() {
    let (shop, _alone) = shop_alone().await;
    let sku = shop.item(2).await.unwrap();
    let before = shop.place(&[(&sku, 1)], "DE", "tok_slow").await.unwrap();
    let ports = Settings::on_free_ports(&shop.fleet.environment().settings().root).unwrap().ports;
    let mut apart = Vec::new();
    for service in SERVICES {
        let name = format!("{service}-apart");
        apart.push(shop.fleet.start_replica(service, &name, ports).await.unwrap());
    }
    let beside = shop.place(&[(&sku, 1)], "DE", "tok_slow").await.unwrap();
    shop.fleet.stop_services().await.unwrap();
    let http = Client::builder().no_proxy().timeout(STOP).build().unwrap();
    for order in [before, beside] {
        let url = format!("http://127.0.0.1:{}/orders/{order}", ports.get("order"));
        shop.wait("the order to be completed by services that run apart", async || {
            let found = expect(200, send(http.get(&url)).await?)?;
            Ok((found["state"] == "completed").then_some(()))
        })
        .await
        .unwrap();
    }
    shop.fleet.start_services().await.unwrap();
    for process in apart {
        process.stop(STOP).await.unwrap();
    }
    let report = audit::run(&shop.fleet, REST).await.unwrap();
    assert!(report.is_clean(), "{}", report.broken());
}
