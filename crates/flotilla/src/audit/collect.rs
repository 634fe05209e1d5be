//! Collecting the facts: one read of each table and of each topic, and of the sandbox's ledger.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use anyhow::{Context, Result};
use chassis::tail::{From, Tail};
use local::SERVICES;
use serde_json::Value;
use sqlx::types::Json;
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use super::facts::{
    Facts, Goods, LedgerFact, Money, OrderEnd, OrderFact, OutboxFact, PaymentFact, ReservationFact,
    ShipmentFact, StockFact, TopicFact,
};
use crate::fleet::Fleet;

/// How long a topic may be silent while it is read to its end.
const SILENCE: Duration = Duration::from_secs(20);
/// Orders per page of the sandbox's ledger.
const LEDGER_PAGE: &str = "1000";

async fn connect(fleet: &Fleet, service: &'static str) -> Result<PgConnection> {
    let url = fleet.environment().superuser_url(service)?;
    PgConnection::connect(&url).await.with_context(|| {
        format!("the database of {service} does not answer; `flotilla local status` tells more")
    })
}

/// Whether every order has ended and every outbox is empty.
pub(super) async fn is_at_rest(fleet: &Fleet) -> Result<bool> {
    let mut db = connect(fleet, "order").await?;
    let under: bool =
        sqlx::query_scalar("select exists (select from orders where state not in (7, 9, 13))")
            .fetch_one(&mut db)
            .await?;
    if under {
        return Ok(false);
    }
    // A completed order's goods may be deducted after it.
    let mut db = connect(fleet, "inventory").await?;
    let reserved: bool =
        sqlx::query_scalar("select exists (select from reservations where state = 1)")
            .fetch_one(&mut db)
            .await?;
    let outboxes = outboxes(fleet).await?;
    Ok(!reserved
        && outboxes.iter().all(|outbox| outbox.rows == 0 && outbox.head == outbox.published))
}

pub(super) async fn collect(fleet: &Fleet) -> Result<Facts> {
    let mut facts = Facts { outboxes: outboxes(fleet).await?, ..Facts::default() };
    collect_orders(&mut connect(fleet, "order").await?, &mut facts).await?;
    collect_payments(&mut connect(fleet, "payment").await?, &mut facts).await?;
    collect_goods(&mut connect(fleet, "inventory").await?, &mut facts).await?;
    collect_shipments(&mut connect(fleet, "shipping").await?, &mut facts).await?;
    for service in SERVICES {
        let mut db = connect(fleet, service).await?;
        let waiting: i64 = sqlx::query_scalar(
            "select count(*) from flotilla.dead_letters where state = 'waiting'",
        )
        .fetch_one(&mut db)
        .await?;
        facts.dead_letters += waiting;
    }
    let brokers = fleet.environment().kafka_brokers();
    let topics = tokio::task::spawn_blocking(move || read_topics(&brokers));
    facts.topics = topics.await.context("reading the topics panicked")??;
    if fleet.process("sandbox").is_some() {
        facts.ledger = Some(read_ledger(fleet).await?);
    }
    Ok(facts)
}

async fn outboxes(fleet: &Fleet) -> Result<Vec<OutboxFact>> {
    let mut outboxes = Vec::new();
    for service in SERVICES {
        let mut db = connect(fleet, service).await?;
        let (rows, head, published) = sqlx::query_as(
            "select (select count(*) from flotilla.outbox), (select batch from flotilla.outbox_head),
                    (select published_batch from flotilla.relay_lease)",
        )
        .fetch_one(&mut db)
        .await?;
        outboxes.push(OutboxFact { service, rows, head, published });
    }
    Ok(outboxes)
}

async fn collect_orders(db: &mut PgConnection, facts: &mut Facts) -> Result<()> {
    let rows: Vec<(Uuid, i16, i64, i64)> =
        sqlx::query_as("select order_id, state, total_minor, sequence from orders")
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

async fn collect_payments(db: &mut PgConnection, facts: &mut Facts) -> Result<()> {
    let rows: Vec<(Uuid, i16, Option<i64>, i64)> =
        sqlx::query_as("select order_id, state, amount_minor, sequence from payments")
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

async fn collect_goods(db: &mut PgConnection, facts: &mut Facts) -> Result<()> {
    type Row = (Uuid, i16, Option<Json<BTreeMap<String, i64>>>, i64);
    let rows: Vec<Row> =
        sqlx::query_as("select order_id, state, lines, sequence from reservations")
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
    let items: Vec<(String, i64, i64, i64, i64, i64, i64)> = sqlx::query_as(
        "select s.sku, free, reserved, shipped, adjusted, sequence,
                coalesce((select sum(delta) from adjustments a where a.sku = s.sku), 0)::bigint
         from stock s",
    )
    .fetch_all(db)
    .await?;
    for (sku, free, reserved, shipped, adjusted, sequence, ledger) in items {
        let item = StockFact { free, reserved, shipped, adjusted, ledger, sequence };
        facts.stock.insert(sku, item);
    }
    Ok(())
}

async fn collect_shipments(db: &mut PgConnection, facts: &mut Facts) -> Result<()> {
    let rows: Vec<(Uuid, i16, i64)> =
        sqlx::query_as("select order_id, state, sequence from shipments").fetch_all(db).await?;
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

/// What is known of a key while its topic is read.
#[derive(Default)]
struct Seen {
    highest: i64,
    values: HashMap<i64, u64>,
}

fn read_topics(brokers: &str) -> Result<Vec<TopicFact>> {
    let names = ["order.events", "payment.events", "inventory.events", "shipping.events"];
    names.iter().map(|name| read_topic(brokers, name)).collect()
}

fn read_topic(brokers: &str, name: &str) -> Result<TopicFact> {
    let tail = Tail::new(brokers, &[name], From::Beginning)
        .with_context(|| format!("Kafka at {brokers} does not answer"))?;
    let mut fact = TopicFact { name: name.to_owned(), ..TopicFact::default() };
    let mut seen: HashMap<String, Seen> = HashMap::new();
    tail.read_to_end(SILENCE, |record| {
        fact.records += 1;
        let sequence = record.header("ce_sequence").and_then(|text| text.parse().ok());
        let Some(sequence) = sequence else {
            fact.foreign += 1;
            return;
        };
        let mut hasher = DefaultHasher::new();
        record.value.hash(&mut hasher);
        let key = seen.entry(record.key.clone()).or_default();
        key.highest = key.highest.max(sequence);
        if let Some(first) = key.values.insert(sequence, hasher.finish()) {
            fact.duplicates += 1;
            if first != hasher.finish() {
                fact.differing.push(format!("{}/{sequence}", record.key));
            }
        }
    })
    .with_context(|| format!("{name} cannot be read to its end"))?;
    fact.keys = seen
        .into_iter()
        .map(|(key, seen)| (key, (seen.highest, seen.values.len() as i64)))
        .collect();
    Ok(fact)
}

async fn read_ledger(fleet: &Fleet) -> Result<LedgerFact> {
    let http = reqwest::Client::builder().no_proxy().build()?;
    let mut ledger = LedgerFact::default();
    let mut after: Option<String> = None;
    loop {
        let mut query = vec![("limit", LEDGER_PAGE.to_owned())];
        query.extend(after.map(|after| ("after", after)));
        let request = http.get(format!("{}/ledger", fleet.url("sandbox"))).query(&query);
        let page: Value = request.send().await?.error_for_status()?.json().await?;
        for order in page["orders"].as_array().into_iter().flatten() {
            let Some(id) = order["order_id"].as_str().and_then(|id| id.parse().ok()) else {
                continue;
            };
            let sum = |name: &str| -> i64 {
                let payments = order["payments"].as_array().into_iter().flatten();
                payments.filter_map(|payment| payment[name].as_i64()).sum()
            };
            ledger.kept_minor.insert(id, sum("captured_minor") - sum("refunded_minor"));
            ledger.held_minor.insert(id, sum("held_minor"));
            ledger.dispatched.insert(id, order["shipment"]["status"] == "dispatched");
        }
        match page["next"].as_str() {
            Some(next) => after = Some(next.to_owned()),
            None => return Ok(ledger),
        }
    }
}
