//! Collecting the facts: one read of each table and of each topic, and of the sandbox's ledger.

mod topics;
mod ledger;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use local::SERVICES;
use sqlx::types::Json;
use sqlx::{Connection, PgConnection};
use tokio::time::timeout;
use uuid::Uuid;

use super::facts::{
    Facts, Goods, Money, OrderEnd, OrderFact, OutboxFact, PaymentFact, PriceFact, ReservationFact,
    ShipmentFact, StockFact,
};
use crate::fleet::Fleet;

/// How long a relay may take to publish what was committed when the audit began to read. One that works
/// needs a fraction of a second.
const PUBLISH_PATIENCE: Duration = Duration::from_secs(5);
/// How often it is looked whether it has.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How long a database may take to connect to; one that is frozen would take for ever.
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);

pub(super) async fn connect(fleet: &Fleet, service: &'static str) -> Result<PgConnection> {
    let url = fleet.environment().superuser_url(service)?;
    let connected = timeout(CONNECT_PATIENCE, PgConnection::connect(&url)).await;
    let connected = connected.map_err(anyhow::Error::from).and_then(|c| Ok(c?));
    connected.with_context(|| {
        format!("the database of {service} does not answer; `flotilla local status` tells more")
    })
}

pub(super) async fn collect(fleet: &Fleet, first: Uuid) -> Result<Facts> {
    let mut facts = tables(fleet, first).await?;
    // After the tables: what they say was committed before these heads.
    (facts.outboxes, facts.behind) = published(fleet).await?;
    for service in SERVICES {
        let mut db = connect(fleet, service).await?;
        let waiting: i64 = sqlx::query_scalar(
            "select count(*) from flotilla.dead_letters where state = 'waiting'",
        )
        .fetch_one(&mut db)
        .await?;
        facts.dead_letters += waiting;
    }
    topics::collect(fleet, &mut facts).await?;
    if fleet.process("sandbox").is_some() {
        facts.ledger = Some(ledger::read(fleet).await?);
    }
    Ok(facts)
}

/// The services' tables alone.
pub(super) async fn tables(fleet: &Fleet, first: Uuid) -> Result<Facts> {
    let mut facts = Facts::default();
    // Orders first: whatever the others know of an order that has ended here is no older than that.
    collect_orders(&mut connect(fleet, "order").await?, first, &mut facts).await?;
    collect_prices(&mut connect(fleet, "order").await?, &mut facts).await?;
    collect_payments(&mut connect(fleet, "payment").await?, first, &mut facts).await?;
    facts.payments_by_hand = settled(&mut connect(fleet, "payment").await?).await?;
    collect_goods(&mut connect(fleet, "inventory").await?, first, &mut facts).await?;
    collect_shipments(&mut connect(fleet, "shipping").await?, first, &mut facts).await?;
    facts.shipments_by_hand = settled(&mut connect(fleet, "shipping").await?).await?;
    Ok(facts)
}

/// The outboxes, once all that is committed by now is published, or the services that are not so far.
async fn published(fleet: &Fleet) -> Result<(Vec<OutboxFact>, BTreeSet<&'static str>)> {
    let started = Instant::now();
    let mut now = outboxes(fleet).await?;
    let heads: Vec<i64> = now.iter().map(|outbox| outbox.head).collect();
    loop {
        let late = now.iter().zip(&heads).filter(|(outbox, head)| outbox.is_behind(**head));
        let behind: BTreeSet<&'static str> = late.map(|(outbox, _)| outbox.service).collect();
        if behind.is_empty() || started.elapsed() > PUBLISH_PATIENCE {
            return Ok((now, behind));
        }
        tokio::time::sleep(LOOK_EVERY).await;
        now = outboxes(fleet).await?;
    }
}

pub(super) async fn outboxes(fleet: &Fleet) -> Result<Vec<OutboxFact>> {
    let mut outboxes = Vec::new();
    for service in SERVICES {
        let mut db = connect(fleet, service).await?;
        let (rows, apart, head, published): (i64, i64, i64, i64) = sqlx::query_as(
            "select (select count(*) from flotilla.outbox
                     where batch > (select published_batch from flotilla.relay_lease)),
                    (select count(*) from flotilla.outbox_set_apart),
                    (select batch from flotilla.outbox_head),
                    (select published_batch from flotilla.relay_lease)",
        )
        .fetch_one(&mut db)
        .await?;
        outboxes.push(OutboxFact { service, rows: rows + apart, apart, head, published });
    }
    Ok(outboxes)
}

async fn collect_orders(db: &mut PgConnection, first: Uuid, facts: &mut Facts) -> Result<()> {
    let rows: Vec<(Uuid, i16, i64, i64)> = sqlx::query_as(
        "select order_id, state, total_minor, sequence from orders where order_id >= $1",
    )
    .bind(first)
    .fetch_all(db)
    .await?;
    for (id, state, total_minor, sequence) in rows {
        let end = match state {
            7 => OrderEnd::Completed,
            9 => OrderEnd::Cancelled,
            13 => OrderEnd::Returned,
            _under_way => OrderEnd::Under,
        };
        facts.orders.insert(id, OrderFact { end, total_minor, sequence });
    }
    Ok(())
}

async fn collect_payments(db: &mut PgConnection, first: Uuid, facts: &mut Facts) -> Result<()> {
    let rows: Vec<(Uuid, i16, Option<i64>, i64)> = sqlx::query_as(
        "select order_id, state, amount_minor, sequence from payments where order_id >= $1",
    )
    .bind(first)
    .fetch_all(db)
    .await?;
    for (id, state, amount, sequence) in rows {
        let money = match state {
            2 => Money::Authorized,
            3 | 6 => Money::Nothing,
            8 => Money::Captured,
            10 => Money::Refunded,
            _call_open => Money::Moving,
        };
        let amount_minor = amount.unwrap_or_default();
        facts.payments.insert(id, PaymentFact { money, amount_minor, sequence });
    }
    Ok(())
}

/// The orders of which operators said what somebody outside did not.
async fn settled(db: &mut PgConnection) -> Result<BTreeSet<Uuid>> {
    let orders: Vec<Uuid> =
        sqlx::query_scalar("select distinct order_id from settlements").fetch_all(db).await?;
    Ok(orders.into_iter().collect())
}

async fn collect_goods(db: &mut PgConnection, first: Uuid, facts: &mut Facts) -> Result<()> {
    type Row = (Uuid, i16, Option<Json<BTreeMap<String, i64>>>, i64);
    // One snapshot, so that counters and reservations belong together on a moving fleet as well.
    let mut db = db.begin_with("begin isolation level repeatable read, read only").await?;
    let rows: Vec<Row> = sqlx::query_as(
        "select order_id, state, lines, sequence from reservations where order_id >= $1",
    )
    .bind(first)
    .fetch_all(&mut *db)
    .await?;
    for (id, state, lines, sequence) in rows {
        let goods = match state {
            1 => Goods::Reserved,
            4 => Goods::Deducted,
            5 => Goods::Returned,
            _nothing_held => Goods::Nothing,
        };
        let lines = lines.map(|lines| lines.0).unwrap_or_default();
        facts.reservations.insert(id, ReservationFact { goods, lines, sequence });
    }
    type Item = (String, i64, i64, i64, i64, i64, i64, String, i64);
    let items: Vec<Item> = sqlx::query_as(
        "select s.sku, free, reserved, shipped, adjusted,
                coalesce((select sum(delta) from adjustments a where a.sku = s.sku), 0)::bigint,
                unit_price_minor, currency, sequence
         from stock s",
    )
    .fetch_all(&mut *db)
    .await?;
    for (sku, free, reserved, shipped, adjusted, ledger, unit_minor, currency, sequence) in items {
        let price = PriceFact { unit_minor, currency, sequence };
        facts.stock.insert(sku, StockFact { free, reserved, shipped, adjusted, ledger, price });
    }
    Ok(())
}

/// Read before inventory's items, so that order is never seen to have heard what is not yet said.
async fn collect_prices(db: &mut PgConnection, facts: &mut Facts) -> Result<()> {
    let rows: Vec<(String, i64, String, i64)> =
        sqlx::query_as("select sku, unit_price_minor, currency, sequence from prices")
            .fetch_all(db)
            .await?;
    for (sku, unit_minor, currency, sequence) in rows {
        facts.prices.insert(sku, PriceFact { unit_minor, currency, sequence });
    }
    Ok(())
}

async fn collect_shipments(db: &mut PgConnection, first: Uuid, facts: &mut Facts) -> Result<()> {
    let rows: Vec<(Uuid, i16, i64)> =
        sqlx::query_as("select order_id, state, sequence from shipments where order_id >= $1")
            .bind(first)
            .fetch_all(db)
            .await?;
    for (id, state, sequence) in rows {
        let dispatched = match state {
            3 => Some(true),
            4 | 5 => Some(false),
            _being_asked => None,
        };
        facts.shipments.insert(id, ShipmentFact { dispatched, sequence });
    }
    Ok(())
}
