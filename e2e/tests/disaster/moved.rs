//! A fleet that has come to rest goes on with other servers, and its payment provider knows it still.

use std::fs;

use e2e::rig::REST;
use e2e::shop::Shop;
use flotilla::audit;
use flotilla::fleet::{Fleet, FleetSettings};
use local::testing::{own_folder, own_servers};
use local::{Environment, Lifetime, Settings, silent};

use crate::desk::Desk;

pub(crate) async fn a_fleet_goes_on_with_other_servers(shop: &Shop, desk: &mut Desk) {
    let sku = shop.item(10).await.unwrap();
    let order = shop.place(&[(&sku, 2)], "DE", "tok_visa").await.unwrap();
    shop.ended(order, "completed").await.unwrap();
    desk.begin_recipe();
    desk.run_next("flotilla audit");
    shop.fleet.stop_services().await.unwrap();
    desk.begin_backup();
    desk.run_next("pg_dump");
    let there = own_servers().await.unwrap();
    let books = there.environment().settings().root.join("sandbox/ledger.jsonl");
    there.environment().stop(&silent).await.unwrap();

    let folder = own_folder("test-elsewhere").unwrap();
    let settings = Settings::on_free_ports(folder.path()).unwrap();
    let servers = Environment::new(settings.clone(), Lifetime::WithParent);
    servers.reset(&silent).await.unwrap();
    servers.start(&silent).await.unwrap();
    desk.turn_to(&servers).await;
    desk.run_next("pg_restore");
    // The provider and the carrier are outside, and do not move.
    fs::create_dir_all(settings.root.join("sandbox")).unwrap();
    fs::copy(books, settings.root.join("sandbox/ledger.jsonl")).unwrap();
    let settings = FleetSettings::new(settings, Lifetime::WithParent).unwrap();
    let fleet = Fleet::start(settings, &silent).await.unwrap();
    let shop = Shop::on(fleet).unwrap();
    desk.wait_for_stopped(&shop, "").await;
    desk.run_next("for topic in inventory.catalogue");
    desk.see_that_it_worked();

    assert_eq!(shop.act(order, "return").await.unwrap().0, 202);
    shop.ended(order, "returned").await.unwrap();
    let later = shop.place(&[(&sku, 1)], "DE", "tok_visa").await.unwrap();
    shop.ended(later, "completed").await.unwrap();
    shop.wait_for_units(&sku, (9, 0, 1)).await.unwrap();
    let report = audit::run(&shop.fleet, REST).await.unwrap();
    assert!(report.is_clean(), "{}", report.broken());
    shop.fleet.stop(&silent).await.unwrap();
}
