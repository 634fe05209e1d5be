//! Reading the services' audit views (schema `audit` of each database), which are all that an audit knows of a
//! service: the words in them are given their meaning here, and an unknown word is an error. No table and no
//! number of a state is looked at.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use anyhow::{Context, Result};
use futures::TryStreamExt;
use sqlx::types::Json;
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use super::connect;
use crate::audit::facts::{
    Counted, Facts, Goods, Money, OrderEnd, OrderFact, PaymentFact, PriceFact, ReservationFact,
    ShipmentFact, StockFact,
};
use crate::audit::topics_of;
use crate::fleet::Fleet;

/// The words of each view, and what they mean to the rules.
type Words<T> = [(&'static str, T)];
const OUTCOMES: &Words<OrderEnd> = &[
    ("open", OrderEnd::Under),
    ("completed", OrderEnd::Completed),
    ("cancelled", OrderEnd::Cancelled),
    ("returned", OrderEnd::Returned),
];
const MONEY: &Words<Money> = &[
    ("moving", Money::Moving),
    ("authorized", Money::Authorized),
    ("nothing", Money::Nothing),
    ("captured", Money::Captured),
    ("refunded", Money::Refunded),
];
const GOODS: &Words<Goods> = &[
    ("reserved", Goods::Reserved),
    ("nothing", Goods::Nothing),
    ("deducted", Goods::Deducted),
    ("returned", Goods::Returned),
];
const PARCELS: &Words<Option<bool>> =
    &[("asked", None), ("dispatched", Some(true)), ("kept", Some(false))];

/// Everything that the views of all services say.
pub(in crate::audit) async fn read(fleet: &Fleet, first: Uuid) -> Result<Facts> {
    let mut facts = Facts::default();
    // Orders first: what the others know of an order that has ended here is no older than that.
    let mut db = connect(fleet, "order").await?;
    orders(&mut db, first, &mut facts).await?;
    // Before inventory's items, so that order never appears to have heard what is not yet said.
    prices(&mut db, &mut facts).await?;
    let mut db = connect(fleet, "payment").await?;
    payments(&mut db, first, &mut facts).await?;
    facts.payments_by_hand = settled(&mut db).await?;
    goods(&mut connect(fleet, "inventory").await?, first, &mut facts).await?;
    let mut db = connect(fleet, "shipping").await?;
    shipments(&mut db, first, &mut facts).await?;
    facts.shipments_by_hand = settled(&mut db).await?;
    for service in fleet.services() {
        let mut db = connect(fleet, service).await?;
        for topic in topics_of(service) {
            let sequences = published(&mut db, topic, first).await.with_context(|| {
                format!("{service} does not say what it has published on {topic} (audit.published)")
            })?;
            facts.published.insert(topic.to_owned(), Counted { service, sequences });
        }
    }
    Ok(facts)
}

/// The meaning of a word. A view says None for a state that it has no word for.
fn meaning<T: Copy>(words: &Words<T>, found: Option<String>, id: Uuid) -> Result<T> {
    let known = words.iter().find(|(word, _)| Some(*word) == found.as_deref());
    known.map(|(_, meaning)| *meaning).with_context(|| {
        let all: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        format!("{id}: its audit view says {found:?}, which is none of: {}", all.join(", "))
    })
}

/// How many events were published under each key of a topic: keys of orders from `first` on, and keys that are not
/// orders.
async fn published(
    db: &mut PgConnection,
    topic: &str,
    first: Uuid,
) -> Result<HashMap<String, i64>> {
    let counted = sqlx::query_as(
        "select key, sequence from audit.published where topic = $1 and order_id >= $2
         union all
         select key, sequence from audit.published where topic = $1 and order_id is null",
    );
    Ok(counted.bind(topic).bind(first).fetch(db).try_collect().await?)
}

async fn orders(db: &mut PgConnection, first: Uuid, facts: &mut Facts) -> Result<()> {
    let rows: Vec<(Uuid, Option<String>, i64, i64)> = sqlx::query_as(
        "select order_id, outcome, total_minor, sequence from audit.orders where order_id >= $1",
    )
    .bind(first)
    .fetch_all(db)
    .await?;
    for (id, outcome, total_minor, sequence) in rows {
        let end = meaning(OUTCOMES, outcome, id)?;
        facts.orders.insert(id, OrderFact { end, total_minor, sequence });
    }
    Ok(())
}

async fn payments(db: &mut PgConnection, first: Uuid, facts: &mut Facts) -> Result<()> {
    let rows: Vec<(Uuid, Option<String>, i64)> = sqlx::query_as(
        "select order_id, money, amount_minor from audit.payments where order_id >= $1",
    )
    .bind(first)
    .fetch_all(db)
    .await?;
    for (id, money, amount_minor) in rows {
        let money = meaning(MONEY, money, id)?;
        facts.payments.insert(id, PaymentFact { money, amount_minor });
    }
    Ok(())
}

/// The orders for which operators said what somebody outside did not.
async fn settled(db: &mut PgConnection) -> Result<BTreeSet<Uuid>> {
    let orders: Vec<Uuid> =
        sqlx::query_scalar("select order_id from audit.settled").fetch_all(db).await?;
    Ok(orders.into_iter().collect())
}

async fn goods(db: &mut PgConnection, first: Uuid, facts: &mut Facts) -> Result<()> {
    type Row = (Uuid, Option<String>, Option<Json<BTreeMap<String, i64>>>);
    // One snapshot, so that counters and reservations belong together even on a moving fleet.
    let mut db = db.begin_with("begin isolation level repeatable read, read only").await?;
    let rows: Vec<Row> = sqlx::query_as(
        "select order_id, goods, lines from audit.reservations where order_id >= $1",
    )
    .bind(first)
    .fetch_all(&mut *db)
    .await?;
    for (id, goods, lines) in rows {
        let goods = meaning(GOODS, goods, id)?;
        let lines = lines.map(|lines| lines.0).unwrap_or_default();
        facts.reservations.insert(id, ReservationFact { goods, lines });
    }
    type Item = (String, i64, i64, i64, i64, i64, i64, String, i64);
    let items: Vec<Item> = sqlx::query_as(
        "select sku, free, reserved, shipped, adjusted, ledger, unit_price_minor, currency, sequence
         from audit.stock",
    )
    .fetch_all(&mut *db)
    .await?;
    for (sku, free, reserved, shipped, adjusted, ledger, unit_minor, currency, sequence) in items {
        let price = PriceFact { unit_minor, currency, sequence };
        facts.stock.insert(sku, StockFact { free, reserved, shipped, adjusted, ledger, price });
    }
    Ok(())
}

async fn prices(db: &mut PgConnection, facts: &mut Facts) -> Result<()> {
    let rows: Vec<(String, i64, String, i64)> =
        sqlx::query_as("select sku, unit_price_minor, currency, sequence from audit.prices")
            .fetch_all(db)
            .await?;
    for (sku, unit_minor, currency, sequence) in rows {
        facts.prices.insert(sku, PriceFact { unit_minor, currency, sequence });
    }
    Ok(())
}

async fn shipments(db: &mut PgConnection, first: Uuid, facts: &mut Facts) -> Result<()> {
    let rows: Vec<(Uuid, Option<String>)> =
        sqlx::query_as("select order_id, parcel from audit.shipments where order_id >= $1")
            .bind(first)
            .fetch_all(db)
            .await?;
    for (id, parcel) in rows {
        let dispatched = meaning(PARCELS, parcel, id)?;
        facts.shipments.insert(id, ShipmentFact { dispatched });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_without_a_word_and_a_word_that_nobody_knows_are_errors_that_name_the_row() {
        let id = Uuid::from_u128(7);
        assert_eq!(meaning(MONEY, Some("captured".to_owned()), id).unwrap(), Money::Captured);
        for found in [None, Some("spent".to_owned())] {
            let error = meaning(MONEY, found, id).unwrap_err().to_string();
            assert!(error.contains(&id.to_string()) && error.contains("captured"), "{error}");
        }
    }
}
