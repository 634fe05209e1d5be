//! The ways that an order can go, and how a fleet is made to go each of them. Where the calls of two services race, the
//! slower one is slowed down or away, so that each way says the same each time.

use anyhow::{Result, bail};
use chassis::Registry;
use chassis::testing::{Framer, Outsider};
use e2e::shop::{Shop, expect};
use events::{Sku, StockAdjusted, WarehouseEvent};
use futures::future::join;
use uuid::Uuid;

/// How often the race of `cancelled-too-late` is run until the order is cancelled in time to be too late.
const ATTEMPTS: u32 = 5;
/// The deadline of an order that is meant to be overdue, in seconds.
const HASTY: &str = "10";

/// One way that an order can go.
pub(crate) struct Way {
    /// The folder of its recording.
    pub(crate) name: &'static str,
    /// What happens, in a sentence.
    pub(crate) says: &'static str,
    go: Go,
}

/// What the keys of the records are that belong to what was played.
pub(crate) struct Played {
    pub(crate) keys: Vec<String>,
}

#[derive(Clone, Copy)]
enum Go {
    /// With this destination and card, to this state.
    Ends(&'static str, &'static str, &'static str),
    OutOfStock,
    LastUnit,
    CancelledBefore,
    CancelledAfter,
    CancelledTooLate,
    OverdueBefore,
    OverdueAfter,
    Returned,
}

pub(crate) const WAYS: &[Way] = &[
    Way {
        name: "fulfilled",
        says: "Everybody says yes: reserved, authorized, dispatched, captured, completed.",
        go: Go::Ends("DE", "tok_visa", "completed"),
    },
    Way {
        name: "out-of-stock",
        says: "A line is short: the order is cancelled, and payment gives back what it has set aside.",
        go: Go::OutOfStock,
    },
    Way {
        name: "payment-declined",
        says: "The card is declined: the order is cancelled, and the goods are given back.",
        go: Go::Ends("DE", "tok_declined", "cancelled"),
    },
    Way {
        name: "shipment-refused",
        says: "The carrier refuses a confirmed order: it is cancelled, goods and money are given back.",
        go: Go::Ends("AQ", "tok_visa", "cancelled"),
    },
    Way {
        name: "cancelled-before-confirmation",
        says: "The customer cancels before the order is confirmed: order alone decides.",
        go: Go::CancelledBefore,
    },
    Way {
        name: "cancelled-after-confirmation",
        says: "The customer cancels a confirmed order, and shipping has not dispatched it.",
        go: Go::CancelledAfter,
    },
    Way {
        name: "cancelled-too-late",
        says: "The customer cancels a confirmed order, and shipping has dispatched it: it is completed.",
        go: Go::CancelledTooLate,
    },
    Way {
        name: "overdue-before-confirmation",
        says: "Payment does not answer within the deadline: the order is cancelled.",
        go: Go::OverdueBefore,
    },
    Way {
        name: "overdue-after-confirmation",
        says: "Shipping does not answer within the deadline: order asks it to cancel, and it does.",
        go: Go::OverdueAfter,
    },
    Way {
        name: "returned",
        says: "The customer sends a completed order back: goods and money are given back.",
        go: Go::Returned,
    },
    Way {
        name: "last-unit",
        says: "The warehouse delivers one unit, and an order takes it: the item is depleted, and says so.",
        go: Go::LastUnit,
    },
];

/// Goes it, to its end.
pub(crate) async fn play(shop: &Shop, way: &Way) -> Result<Played> {
    let order = match way.go {
        Go::Ends(destination, token, state) => {
            let sku = shop.item(9).await?;
            let order = shop.place(&[(&sku, 2)], destination, token).await?;
            shop.ended(order, state).await?;
            order
        }
        Go::OutOfStock => out_of_stock(shop).await?,
        Go::LastUnit => return last_unit(shop).await,
        Go::CancelledBefore => cancelled(shop, "DE", "tok_slow", "StockReserved").await?,
        Go::CancelledAfter => cancelled(shop, "NZ", "tok_visa", "OrderConfirmed").await?,
        Go::CancelledTooLate => cancelled_too_late(shop).await?,
        Go::OverdueBefore => overdue(shop, "payment", "StockReserved").await?,
        Go::OverdueAfter => overdue(shop, "shipping", "OrderConfirmed").await?,
        Go::Returned => returned(shop).await?,
    };
    all_published(shop).await?;
    Ok(Played { keys: vec![order.to_string()] })
}

async fn all_published(shop: &Shop) -> Result<()> {
    for service in ["order", "payment", "inventory", "shipping"] {
        shop.published(service).await?;
    }
    Ok(())
}

/// Of two lines one is short.
async fn out_of_stock(shop: &Shop) -> Result<Uuid> {
    let (enough, short) = (shop.item(9).await?, shop.item(1).await?);
    let order = shop.place(&[(&enough, 2), (&short, 5)], "DE", "tok_visa").await?;
    shop.ended(order, "cancelled").await?;
    Ok(order)
}

async fn cancelled(shop: &Shop, destination: &str, token: &str, after: &str) -> Result<Uuid> {
    let sku = shop.item(9).await?;
    let order = shop.place(&[(&sku, 2)], destination, token).await?;
    shop.happened(order, after).await?;
    expect(202, shop.act(order, "cancel").await?)?;
    shop.ended(order, "cancelled").await?;
    Ok(order)
}

/// Order is away while shipping dispatches, and is asked to cancel before it has heard of that: as soon as it answers
/// callers at all, for which it does not wait until it hears.
async fn cancelled_too_late(shop: &Shop) -> Result<Uuid> {
    for _ in 0..ATTEMPTS {
        let sku = shop.item(9).await?;
        shop.fleet.stop_service("shipping").await?;
        let order = shop.place(&[(&sku, 2)], "DE", "tok_visa").await?;
        shop.happened(order, "OrderConfirmed").await?;
        shop.published("order").await?;
        shop.fleet.stop_service("order").await?;
        shop.fleet.start_service("shipping").await?;
        dispatched(shop, order).await?;
        let cancel = shop.wait("an answer to the cancellation", async || {
            // Until somebody listens.
            Ok(shop.act(order, "cancel").await.ok().filter(|(status, _)| *status != 503))
        });
        let (started, answer) = join(shop.fleet.start_service("order"), cancel).await;
        started?;
        let (status, said) = answer?;
        shop.ended(order, "completed").await?;
        if status == 202 && said["state"] == "cancellation_requested" {
            return Ok(order);
        }
    }
    bail!("order heard of the dispatch before the cancellation, {ATTEMPTS} times")
}

async fn dispatched(shop: &Shop, order: Uuid) -> Result<()> {
    shop.wait("the parcel to be dispatched", async || {
        let (_, parcel) = shop.get("shipping", &format!("/shipments/{order}")).await?;
        Ok((parcel["state"] == "dispatched").then_some(()))
    })
    .await?;
    shop.published("shipping").await
}

/// One service is away for longer than the deadline.
async fn overdue(shop: &Shop, away: &'static str, after: &str) -> Result<Uuid> {
    let sku = shop.item(9).await?;
    shop.fleet.stop_service("order").await?;
    let hasty = shop.fleet.with_variable("FLOTILLA_ORDER_DEADLINE_SECONDS", HASTY);
    hasty.start_service("order").await?;
    shop.fleet.stop_service(away).await?;
    // A slow carrier: shipping hears that the order is confirmed and that it is overdue at the same moment.
    let order = shop.place(&[(&sku, 2)], "NZ", "tok_visa").await?;
    shop.happened(order, after).await?;
    let overdue = if away == "payment" { "OrderCancelled" } else { "OrderCancellationRequested" };
    shop.happened(order, overdue).await?;
    shop.fleet.start_service(away).await?;
    shop.ended(order, "cancelled").await?;
    shop.fleet.stop_service("order").await?;
    shop.fleet.start_service("order").await?;
    Ok(order)
}

async fn returned(shop: &Shop) -> Result<Uuid> {
    let sku = shop.item(9).await?;
    let order = shop.place(&[(&sku, 2)], "DE", "tok_visa").await?;
    shop.ended(order, "completed").await?;
    expect(202, shop.act(order, "return").await?)?;
    shop.ended(order, "returned").await?;
    Ok(order)
}

/// The warehouse speaks for itself here, so that its event is among those that are recorded.
async fn last_unit(shop: &Shop) -> Result<Played> {
    let sku = shop.item(0).await?;
    let environment = shop.fleet.environment();
    let registry = Registry::new(&environment.registry_url());
    let framer = Framer::new::<WarehouseEvent>(&registry).await?;
    let adjustment_id = Uuid::new_v4();
    let delivered: WarehouseEvent = StockAdjusted {
        adjustment_id,
        sku: Sku::new(sku.clone())?,
        delta: 1,
        note: "delivered".to_owned(),
        occurred_at: 1_790_000_000_123_456,
    }
    .into();
    let outsider = Outsider::new(&environment.kafka_brokers())?;
    outsider.publish(&framer, "warehouse", &adjustment_id.to_string(), &delivered).await?;
    shop.wait_for_units(&sku, (1, 0, 0)).await?;
    let order = shop.place(&[(&sku, 1)], "DE", "tok_visa").await?;
    shop.ended(order, "completed").await?;
    shop.wait_for_units(&sku, (0, 0, 1)).await?;
    all_published(shop).await?;
    Ok(Played { keys: vec![order.to_string(), sku] })
}
