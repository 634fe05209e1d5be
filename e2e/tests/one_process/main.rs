//! The fleet in one process: an order goes every way that it can go between services that run apart, and what stops,
//! dies or is killed while customers order loses nothing.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

// The stories are those of services that run apart.
#[path = "../stories/orders.rs"]
mod orders;
mod settings;
mod stops;

use std::ops::Deref;

use e2e::shop::Shop;
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Stories are told side by side. A test that ends the process waits for them, and they wait for it.
static FLEET: RwLock<()> = RwLock::const_new(());

/// A shop, for as long as its fleet runs undisturbed.
struct Undisturbed {
    shop: Shop,
    _others: RwLockReadGuard<'static, ()>,
}

impl Deref for Undisturbed {
    type Target = Shop;

    fn deref(&self) -> &Shop {
        &self.shop
    }
}

async fn shop() -> Undisturbed {
    let _others = FLEET.read().await;
    Undisturbed { shop: open().await, _others }
}

/// A shop that nobody else is in. What a failed test left dead is started again, so that one failure is not
/// reported as many.
async fn shop_alone() -> (Shop, RwLockWriteGuard<'static, ()>) {
    let alone = FLEET.write().await;
    let shop = open().await;
    shop.fleet.start_services().await.unwrap();
    (shop, alone)
}

async fn open() -> Shop {
    Shop::open_with(|settings| settings.one_process = true).await.unwrap()
}
