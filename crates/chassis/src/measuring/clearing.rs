//! The relay's part in the database on its own, for a service without Kafka: it holds the lease, and notes
//! and clears what somebody else has published, as often as a relay does.

use std::time::Instant;

use anyhow::{Context, ensure};

use crate::postgres::connection::Writer;
use crate::publish::relay::CLEAR_EVERY;
use crate::publish::relay::hand_over::{HandOver, hand_over};
use crate::publish::relay::lease::{Lease, Tenure};

pub(crate) struct Clearing {
    pub(crate) writer: Writer,
    lease: Lease,
    tenure: Tenure,
    /// Nothing up to here is in the table any more.
    gone: i64,
    cleared_at: Instant,
}

impl Clearing {
    /// Takes the lease; returns the executor's side of a relay that leads, to which nothing is announced.
    pub(crate) async fn start(mut writer: Writer) -> anyhow::Result<(Self, HandOver)> {
        let lease = Lease::new();
        let taken = lease.take(writer.connection().await?).await?;
        let tenure = taken.context("a replica of the service runs: it holds the relay's lease")?;
        let (hand_over, _nobody_takes_over, shared) = hand_over();
        shared.set_leader(true);
        Ok((Clearing { writer, lease, tenure, gone: 0, cleared_at: Instant::now() }, hand_over))
    }

    /// Notes that a batch is published.
    pub(crate) async fn published(&mut self, batch: i64) -> anyhow::Result<()> {
        self.tenure.published = batch;
        if self.cleared_at.elapsed() >= CLEAR_EVERY {
            self.cleared_at = Instant::now();
            let db = self.writer.connection().await?;
            let renewed = self.lease.renew(db, &self.tenure, &[], (self.gone, batch)).await?;
            ensure!(renewed.is_some(), "another replica took the relay's lease");
            self.gone = batch;
        }
        Ok(())
    }
}
