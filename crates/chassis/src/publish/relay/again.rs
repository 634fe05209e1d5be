//! Sending again what is set apart: one by one while it is not known whether Kafka takes
//! them now, and by the thousand once it does.

use super::apart::{self, Page, Round, Still};
use super::office::Office;
use super::publishing::Waited;
use super::verdict::Verdict;
use super::{End, Relay};
use crate::postgres::trouble::{PATIENCE, within};
use crate::publish::outbox::{Packed, unpack};

/// This many are sent one by one before the rest is expected to be accepted.
const ONE_BY_ONE: usize = 32;
/// Refusals in one look, as each takes a round trip while other events wait.
const REFUSALS_MAX: usize = 8;
/// Limits of one look: what fits into a flush.
const MESSAGES_MAX: i64 = 5_000;
const BYTES_MAX: i64 = 4 * 1024 * 1024;

/// How a look at a topic ended.
enum Look {
    Still(Still),
    Ended(End),
}

impl Relay {
    /// Sends again what is due.
    pub(super) async fn try_again(&mut self, office: &mut Office) -> anyhow::Result<Option<End>> {
        let due = office.apart.due();
        // What was set apart a moment ago has to be in the table.
        if !due.is_empty() && !self.note(office).await? {
            return Ok(Some(End::LeaseLost));
        }
        for topic in due {
            let mut round = office.apart.take_round(&topic);
            match self.look(office, &topic, &mut round).await? {
                Look::Still(still) => office.apart.tried(&topic, round, still),
                Look::Ended(end) => return Ok(Some(end)),
            }
        }
        Ok(None)
    }

    async fn look(
        &mut self,
        office: &mut Office,
        topic: &str,
        round: &mut Round,
    ) -> anyhow::Result<Look> {
        let one_by_one = round.accepted < ONE_BY_ONE;
        let limit = if one_by_one { ONE_BY_ONE as i64 } else { MESSAGES_MAX };
        let db = self.writer.connection().await?;
        let page = within(PATIENCE, apart::page(db, topic, round, (limit, BYTES_MAX))).await?;
        if page.places.is_empty() {
            return Ok(Look::Still(round.over()));
        }
        // Packed by a newer build, which will send it.
        let Some(messages) = messages(&page) else { return Ok(Look::Still(Still::Everything)) };
        let (taken, look) = match one_by_one {
            true => self.send_page_one_by_one(office, &page, &messages, round).await?,
            false => self.send_page_together(office, &page, &messages, round).await?,
        };
        self.count(taken.len() as u64);
        let db = self.writer.connection().await?;
        within(PATIENCE, apart::forget(db, topic, &taken)).await?;
        Ok(look)
    }

    async fn send_page_one_by_one(
        &mut self,
        office: &mut Office,
        page: &Page,
        messages: &[Packed<'_>],
        round: &mut Round,
    ) -> anyhow::Result<(Vec<(i64, i32)>, Look)> {
        let mut taken = Vec::new();
        let mut refusals = 0;
        for (number, message) in messages.iter().enumerate() {
            if refusals == REFUSALS_MAX {
                break;
            }
            let behind = message.key().is_some_and(|key| round.refused.contains(key));
            if !behind {
                let sent = office.publisher.send_alone(messages, number)?;
                match self.wait_for(office, None, &sent).await? {
                    Waited::Ended(end) => return Ok((taken, Look::Ended(end))),
                    Waited::Stalled => {
                        self.replace(office).await?;
                        return Ok((taken, Look::Still(Still::Everything)));
                    }
                    Waited::Settled => {}
                }
                match sent.failures().first().map(|(_, error)| Verdict::of(error)) {
                    None => {
                        taken.push(page.places[number]);
                        round.accepted += 1;
                    }
                    Some(Verdict::Record) => {
                        refusals += 1;
                        round.refuse(message.key());
                    }
                    Some(Verdict::Topic | Verdict::Passing) => {
                        return Ok((taken, Look::Still(Still::Everything)));
                    }
                }
            }
            round.after = page.places[number];
        }
        Ok((taken, Look::Still(Still::More)))
    }

    async fn send_page_together(
        &mut self,
        office: &mut Office,
        page: &Page,
        messages: &[Packed<'_>],
        round: &mut Round,
    ) -> anyhow::Result<(Vec<(i64, i32)>, Look)> {
        let all: Vec<usize> = (0..messages.len()).collect();
        let sent = office.publisher.send(messages, &all)?;
        let waited = self.wait_for(office, None, &sent).await?;
        let failures = sent.failures();
        let place = |number: usize| page.places[number];
        let taken: Vec<_> =
            all.into_iter().filter(|n| sent.is_acknowledged(*n)).map(place).collect();
        if let Waited::Ended(end) = waited {
            return Ok((taken, Look::Ended(end)));
        }
        if let Waited::Settled = waited
            && failures.is_empty()
        {
            round.after = page.places[messages.len() - 1];
            return Ok((taken, Look::Still(Still::More)));
        }
        // One by one again, from the first that was not accepted.
        round.accepted = 0;
        self.replace(office).await?;
        let refused = |(_, error): &(usize, _)| Verdict::of(error) == Verdict::Record;
        let still = if failures.iter().any(refused) { Still::More } else { Still::Everything };
        Ok((taken, Look::Still(still)))
    }
}

/// The one message of each row.
fn messages(page: &Page) -> Option<Vec<Packed<'_>>> {
    let one = |row| unpack(row).ok().filter(|unpacked| unpacked.len() == 1)?.pop();
    page.rows.iter().map(Vec::as_slice).map(one).collect()
}
