//! One tenure of the relay: what it is responsible for, and the lease that it renews while it
//! waits for other things.

use std::time::{Duration, Instant};

use super::apart::Apart;
use super::keeping::Keeping;
use super::lease::{RENEW_EVERY, Tenure};
use super::publisher::Publisher;
use super::{CLEAR_EVERY, POLL, Relay};
use crate::backoff::Backoff;
use crate::postgres::trouble::{PATIENCE, within};

/// The pauses after attempts that failed for a temporary reason, from the first to the last.
const BACKOFF_FIRST: Duration = Duration::from_millis(500);
const BACKOFF_LAST: Duration = Duration::from_secs(10);

pub(super) struct Office {
    pub(super) tenure: Tenure,
    pub(super) publisher: Publisher,
    pub(super) apart: Apart,
    pub(super) keeping: Keeping,
    /// Whether an operator asked for a topic to be published again, as far as we know.
    pub(super) is_asked_to_republish: bool,
    /// After attempts that failed for a temporary reason.
    pub(super) backoff: Backoff,
    /// The last batch that is noted as published, and when that was noted.
    noted: i64,
    noted_at: Instant,
}

impl Office {
    /// Whether there is something to note, and it is time.
    pub(super) fn is_note_due(&self) -> bool {
        self.tenure.published > self.noted && self.noted_at.elapsed() >= CLEAR_EVERY
    }

    /// How long to wait for announcements. The lease is renewed in any case.
    pub(super) fn patience(&self) -> Duration {
        let patience = match self.tenure.published > self.noted {
            true => CLEAR_EVERY,
            false => POLL.min(RENEW_EVERY),
        };
        patience.min(self.apart.due_in())
    }
}

impl Relay {
    /// Looks at what former tenures left. None if somebody else holds the lease by now.
    pub(super) async fn enter_office(
        &mut self,
        mut tenure: Tenure,
    ) -> anyhow::Result<Option<Office>> {
        let db = self.writer.connection().await?;
        let apart = within(PATIENCE, Apart::load(db)).await?;
        let mut keeping = Keeping::nothing(self.kept, tenure.published);
        while within(PATIENCE, keeping.load(db, tenure.published)).await? {
            let renewal = self.lease.renew(db, &tenure, &[], (0, 0));
            let Some(renewed) = within(PATIENCE, renewal).await? else { return Ok(None) };
            tenure.renewed = renewed.at;
        }
        let publisher = Publisher::new(&self.producer, &self.telemetry)?;
        self.traffic.goes_through(&publisher);
        let (noted, noted_at) = (tenure.published, Instant::now());
        let is_asked_to_republish = true;
        Ok(Some(Office {
            tenure,
            publisher,
            apart,
            keeping,
            is_asked_to_republish,
            backoff: Backoff::new(BACKOFF_FIRST, BACKOFF_LAST),
            noted,
            noted_at,
        }))
    }

    /// Notes what is published and what is set apart, clears rows and renews the lease, in one
    /// transaction. Returns whether the lease is still ours.
    pub(super) async fn note(&mut self, office: &mut Office) -> Result<bool, sqlx::Error> {
        let db = self.writer.connection().await?;
        let clear = office.keeping.to_clear();
        let renewal = self.lease.renew(db, &office.tenure, office.apart.to_write(), clear);
        let renewed = within(PATIENCE, renewal).await?;
        let Some(renewed) = renewed else { return Ok(false) };
        self.health.has("relay");
        office.apart.written();
        office.tenure.renewed = renewed.at;
        office.is_asked_to_republish = renewed.is_asked_to_republish;
        if !renewed.is_asked_to_republish {
            office.keeping.cleared(clear.1);
        }
        office.noted = office.tenure.published;
        office.noted_at = Instant::now();
        match office.apart.reason() {
            Some(reason) => self.health.waits_for("set_apart", reason),
            None => self.health.has("set_apart"),
        }
        Ok(true)
    }
}
