//! Publishing rows: attempt after attempt until each of their messages is acknowledged or set apart. The
//! lease is renewed meanwhile and progress noted, so that no other replica begins with the same rows.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::delivery::Delivery;
use super::hand_over::CommittedBatch;
use super::lease::RENEW_EVERY;
use super::office::Office;
use super::publisher::{Publisher, Sent};
use super::verdict::Verdict;
use super::{End, Relay};
use crate::run::crash;

/// When events that wait for an acknowledgement are reported: longer than the election of a leader.
const SLOW: Duration = Duration::from_secs(5);
/// When nothing was acknowledged for this long, new producers are tried: the old ones may hang.
const STALLED: Duration = Duration::from_secs(30);
/// How long a stop waits for a Kafka that does not acknowledge. What is not published is in its rows.
const STOP_PATIENCE: Duration = Duration::from_secs(1);

/// How far publishing got.
pub(super) enum Published {
    All,
    /// Up to a row that cannot be read.
    UpTo(i64),
    Ended(End),
}

/// How an attempt ended.
enum Attempt {
    /// Each message is acknowledged or set apart.
    Settled,
    /// Kafka refused something, and what was behind it may have failed too: tried again at once, with care.
    Refused,
    /// Kafka, or the way there, has a problem.
    Failed(String),
    Ended(End),
}

/// How waiting for acknowledgements ended.
pub(super) enum Waited {
    Settled,
    Stalled,
    Ended(End),
}

impl Relay {
    pub(super) async fn publish(
        &mut self,
        office: &mut Office,
        rows: &VecDeque<CommittedBatch>,
    ) -> anyhow::Result<Published> {
        crash::point("relay.before_publish");
        let mut delivery = Delivery::of(rows);
        let started = Instant::now();
        self.traffic.step();
        self.incoming.pace.begin();
        let ended = loop {
            let attempt = self.attempt(office, &mut delivery).await?;
            if let Some(batch) = delivery.progress(None) {
                office.tenure.published = batch;
            }
            match attempt {
                Attempt::Settled => break None,
                Attempt::Ended(end) => break Some(end),
                Attempt::Refused => self.replace(office).await?,
                Attempt::Failed(why) => {
                    self.health.waits_for("kafka", format!("events wait in the outbox: {why}"));
                    self.replace(office).await?;
                    if let Some(end) = self.back_off(office).await? {
                        break Some(end);
                    }
                }
            }
        };
        self.incoming.pace.end();
        self.traffic.step();
        crash::point("relay.after_publish");
        if let Some(end) = ended {
            return Ok(Published::Ended(end));
        }
        office.backoff.reset();
        let published = rows.iter().filter(|row| row.number <= office.tenure.published);
        let bytes = published.map(|row| row.row.len()).sum();
        office.keeping.published(office.tenure.published, bytes);
        self.telemetry.metrics.flush_seconds.record(started.elapsed().as_secs_f64(), &[]);
        if delivery.taken > 0 {
            self.health.has("kafka");
            self.health.moves("kafka");
        }
        match delivery.unreadable {
            Some(batch) => {
                self.incoming.look_again();
                Ok(Published::UpTo(batch))
            }
            None => Ok(Published::All),
        }
    }

    async fn attempt(
        &mut self,
        office: &mut Office,
        delivery: &mut Delivery<'_>,
    ) -> anyhow::Result<Attempt> {
        let (together, one_by_one) = delivery.pending(&mut office.apart);
        if !together.is_empty() {
            match self.send_together(office, delivery, &together).await? {
                Attempt::Settled => {}
                unsettled => return Ok(unsettled),
            }
        }
        for number in one_by_one {
            if delivery.is_behind(number, &mut office.apart) {
                continue;
            }
            match self.send_one(office, delivery, number).await? {
                Attempt::Settled => {}
                unsettled => return Ok(unsettled),
            }
        }
        Ok(Attempt::Settled)
    }

    async fn send_together(
        &mut self,
        office: &mut Office,
        delivery: &mut Delivery<'_>,
        numbers: &[usize],
    ) -> anyhow::Result<Attempt> {
        let sent = office.publisher.send(&delivery.messages, numbers)?;
        let waited = self.wait_for(office, Some(delivery), &sent).await?;
        self.count(delivery.take_over(&sent, numbers));
        let (mut refused, mut passing) = (false, None);
        for (number, error) in sent.failures() {
            match Verdict::of(&error) {
                Verdict::Record | Verdict::Topic => {
                    delivery.handle_with_care(number);
                    refused = true;
                }
                Verdict::Passing => passing = passing.or(Some(error.to_string())),
            }
        }
        Ok(match (waited, passing) {
            (Waited::Ended(end), _) => Attempt::Ended(end),
            (Waited::Stalled, _) => Attempt::Failed(self.stalled(office)),
            // Others fail with it, as nothing may overtake it.
            (Waited::Settled, _) if refused => Attempt::Refused,
            (Waited::Settled, Some(why)) => Attempt::Failed(why),
            (Waited::Settled, None) => Attempt::Settled,
        })
    }

    async fn send_one(
        &mut self,
        office: &mut Office,
        delivery: &mut Delivery<'_>,
        number: usize,
    ) -> anyhow::Result<Attempt> {
        let sent = office.publisher.send_alone(&delivery.messages, number)?;
        let waited = self.wait_for(office, Some(delivery), &sent).await?;
        self.count(delivery.take_over(&sent, &[number]));
        match waited {
            Waited::Ended(end) => return Ok(Attempt::Ended(end)),
            Waited::Stalled => return Ok(Attempt::Failed(self.stalled(office))),
            Waited::Settled => {}
        }
        let Some((_, error)) = sent.failures().pop() else { return Ok(Attempt::Settled) };
        match Verdict::of(&error) {
            Verdict::Passing => return Ok(Attempt::Failed(error.to_string())),
            verdict @ (Verdict::Record | Verdict::Topic) => {
                delivery.refused(number, verdict, &error.to_string(), &mut office.apart);
            }
        }
        Ok(Attempt::Settled)
    }

    /// Waits until the fate of everything that was sent is known. Progress is noted and the lease renewed
    /// meanwhile: it runs out sooner than Kafka's patience does.
    pub(super) async fn wait_for(
        &mut self,
        office: &mut Office,
        delivery: Option<&Delivery<'_>>,
        sent: &Sent,
    ) -> Result<Waited, sqlx::Error> {
        let mut moved = (Instant::now(), sent.outstanding());
        let mut stopping = None;
        loop {
            let renewal = office.tenure.renewed + RENEW_EVERY;
            tokio::select! {
                biased;
                () = sent.settled() => {
                    office.publisher.rest();
                    return Ok(Waited::Settled);
                }
                () = tokio::time::sleep_until(renewal.into()) => {}
            }
            if let Some(batch) = delivery.and_then(|delivery| delivery.progress(Some(sent))) {
                office.tenure.published = batch;
            }
            if !self.note(office).await? {
                return Ok(Waited::Ended(End::LeaseLost));
            }
            if sent.outstanding() < moved.1 {
                moved = (Instant::now(), sent.outstanding());
            }
            if moved.0.elapsed() >= SLOW {
                self.health.waits_for("kafka", format!("events wait in the outbox: {WHY_SLOW}"));
            }
            if moved.0.elapsed() >= STALLED {
                return Ok(Waited::Stalled);
            }
            if self.stopping.is_cancelled()
                && stopping.get_or_insert_with(Instant::now).elapsed() >= STOP_PATIENCE
            {
                return Ok(Waited::Ended(End::Stopping));
            }
        }
    }

    /// What producers said about the brokers while nothing moved.
    pub(super) fn stalled(&self, office: &Office) -> String {
        match office.publisher.trouble() {
            Some(trouble) => format!("{WHY_SLOW} ({trouble})"),
            None => WHY_SLOW.to_owned(),
        }
    }

    /// New producers in place of those that failed. The old ones are gone first, so that none of
    /// their messages come in between.
    pub(super) async fn replace(&mut self, office: &mut Office) -> anyhow::Result<()> {
        let new = Publisher::new(&self.producer, &self.telemetry)?;
        self.traffic.goes_through(&new);
        std::mem::replace(&mut office.publisher, new).close().await;
        Ok(())
    }

    async fn back_off(&mut self, office: &mut Office) -> Result<Option<End>, sqlx::Error> {
        let until = Instant::now() + office.backoff.next_pause();
        while Instant::now() < until {
            if self.stopping.is_cancelled() {
                return Ok(Some(End::Stopping));
            }
            if !self.note(office).await? {
                return Ok(Some(End::LeaseLost));
            }
            let next = until.min(Instant::now() + RENEW_EVERY);
            tokio::time::sleep_until(next.into()).await;
        }
        Ok(None)
    }

    pub(super) fn count(&self, messages: u64) {
        self.telemetry.metrics.published.add(messages, &[]);
    }
}

const WHY_SLOW: &str = "Kafka does not acknowledge them. Is it reachable, has each partition a leader, and \
                        as many replicas in sync as `min.insync.replicas` asks for?";
