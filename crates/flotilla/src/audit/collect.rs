//! Collecting the facts: one read of each audit view and of each topic, and of the sandbox's ledger.

mod views;
mod topics;
mod ledger;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use sqlx::{Connection, PgConnection};
use tokio::time::timeout;
use uuid::Uuid;

use super::facts::{Facts, OutboxFact};
use crate::fleet::Fleet;

pub(super) use views::read as tables;

/// How long a relay may take to publish what was committed when the audit began to read. A healthy one
/// needs a fraction of a second.
const PUBLISH_PATIENCE: Duration = Duration::from_secs(5);
/// How often to check whether it has.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How long connecting to a database may take; a frozen one would take forever.
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
    // After the views: what they say was committed before these heads.
    (facts.outboxes, facts.behind) = published(fleet).await?;
    for service in fleet.services() {
        let mut db = connect(fleet, service).await?;
        let waiting: i64 =
            sqlx::query_scalar("select count(*) from audit.dead_letters where is_waiting")
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

/// The outboxes, once everything committed by now is published, and the services that did not get that far.
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
    for service in fleet.services() {
        let mut db = connect(fleet, service).await?;
        let (rows, apart, head, published): (i64, i64, i64, i64) =
            sqlx::query_as("select waiting, apart, head, published from audit.outbox")
                .fetch_one(&mut db)
                .await?;
        outboxes.push(OutboxFact { service, rows: rows + apart, apart, head, published });
    }
    Ok(outboxes)
}
