//! The paths of an order, over HTTP and Kafka, on a running fleet. Every story has items of its own, so
//! that they can run side by side.

#![allow(clippy::unwrap_used, reason = "a story that cannot go on should say where")]

mod orders;
mod input;
mod topics;
mod replicas;
mod metrics;

use e2e::shop::Shop;

async fn shop() -> Shop {
    Shop::open().await.unwrap()
}
