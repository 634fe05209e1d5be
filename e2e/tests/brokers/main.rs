//! A fleet with three brokers: what the loss of one or two of them means, and that nobody is turned away while
//! processes come and go. Apart from `chaos`, whose fleet has one broker.

#![allow(clippy::unwrap_used, reason = "a run that cannot go on should say where")]

mod killed;
mod change;

use e2e::rig::TURN;
use e2e::shop::Shop;
use tokio::sync::MutexGuard;

/// The shop on a fleet where everything runs, and the turn to change that.
async fn shop_alone() -> (Shop, MutexGuard<'static, ()>) {
    let turn = TURN.lock().await;
    let shop = Shop::open_with(|settings| settings.brokers = 3).await.unwrap();
    local::testing::own_servers().await.unwrap().restart().await.unwrap();
    shop.fleet.start_services().await.unwrap();
    (shop, turn)
}
