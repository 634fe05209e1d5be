//! The READMEs of the examples: what they have people run.

use e2e::page::blocks;
use e2e::rig::{TURN, open};
use e2e::shop::expect;

use crate::languages::{ALL, bash, said};

#[tokio::test(flavor = "multi_thread")]
async fn what_the_readme_of_each_example_tells_people_to_run_runs_as_it_stands() {
    let _turn = TURN.lock().await;
    let shop = open().await.unwrap();
    let bought = shop.item(1).await.unwrap();
    let order = shop.place(&[(&bought, 1)], "DE", "tok_visa").await.unwrap();
    shop.ended(order, "completed").await.unwrap();
    let item = serde_json::json!({ "name": "Tea", "unit_price_minor": 250, "currency": "EUR" });
    expect(201, shop.put("inventory", "/stock/tea", &item).await.unwrap()).unwrap();
    let mut units = 0;
    for language in ALL {
        let folder = language.folder();
        // The first block installs, which the tools have done; where there is nothing to install it is the only one.
        let block = blocks(&format!("examples/clients/{folder}/README.md")).pop().unwrap();
        let mut bash = bash(&shop, &block, &language.workplace());
        bash.env("ORDER", order.to_string());
        let printed = said(&mut bash);
        let events = printed.lines().filter(|line| line.starts_with('{')).count();
        assert_eq!(events, 8, "{folder}: {printed}");
        units += 10;
        shop.wait_for_units("tea", (units, 0, 0)).await.unwrap();
    }
}
