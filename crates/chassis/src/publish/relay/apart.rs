//! Messages that Kafka refuses. They are set apart in a table of their own, in the transaction that notes
//! the rows around them as published, so that nothing is lost and everything else goes on. Later messages
//! of the same key wait behind them: their order is kept. Each is sent again until Kafka takes it.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::{Duration, Instant};

use sqlx::PgConnection;

use super::verdict::Verdict;
use crate::publish::outbox::{Packed, pack_again};

/// Keys of a topic that are remembered individually. With more of them, the whole topic waits.
const KEYS_MAX: usize = 1_000;
/// How often what is set apart is tried again: soon after a temporary cause, and often enough for an
/// operator who has just fixed it.
const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_LAST: Duration = Duration::from_secs(15);

/// Why messages wait that Kafka had already taken.
const AGAIN: &str = "published again, as an operator asked";

/// A message that waits, as it is written to the table.
pub(crate) struct Waiting {
    batch: i64,
    place: i32,
    topic: String,
    key: Option<Vec<u8>>,
    packed: Vec<u8>,
    reason: String,
}

/// What waits of a topic.
struct Blocked {
    whole: bool,
    keys: HashSet<Vec<u8>>,
    reason: String,
    round: Round,
    /// Older messages are still being put before those that wait: nothing is sent yet.
    held: bool,
    /// When it is tried again. Each topic has its own time: one that is refused again and again must
    /// not delay another.
    due: Instant,
    pause: Duration,
}

/// One pass over everything that waits of a topic, from the oldest on.
#[derive(Default)]
pub(super) struct Round {
    /// Everything up to here was tried.
    pub(super) after: (i64, i32),
    /// Keys whose oldest message was refused again: what is behind it is not tried.
    pub(super) refused: BTreeSet<Vec<u8>>,
    /// Whether a message without a key was refused again.
    refused_without_key: bool,
    /// Messages that Kafka took since the last refusal.
    pub(super) accepted: usize,
}

impl Round {
    pub(super) fn refuse(&mut self, key: Option<&[u8]>) {
        self.accepted = 0;
        match key {
            Some(key) => {
                self.refused.insert(key.to_owned());
            }
            None => self.refused_without_key = true,
        }
    }

    /// There is nothing more: what still waits.
    pub(super) fn over(&mut self) -> Still {
        match self.refused.is_empty() && !self.refused_without_key {
            true => Still::Nothing,
            false => Still::Keys(std::mem::take(&mut self.refused)),
        }
    }
}

#[derive(Default)]
pub(super) struct Apart {
    blocked: BTreeMap<String, Blocked>,
    new: Vec<Waiting>,
}

impl Apart {
    /// What former tenures set apart.
    pub(super) async fn load(db: &mut PgConnection) -> Result<Self, sqlx::Error> {
        // The lease is running, and there may be millions: no more is read than is kept in memory.
        let rows: Vec<(String, Option<Vec<u8>>, String)> = sqlx::query_as(
            "select topic, key, reason from flotilla.outbox_set_apart order by topic, batch, place limit $1",
        )
        .bind(KEYS_MAX as i64 + 1)
        .fetch_all(&mut *db)
        .await?;
        let mut apart = Apart::default();
        if rows.len() <= KEYS_MAX {
            for (topic, key, reason) in rows {
                apart.blocked(&topic, &reason).keys.extend(key);
            }
            return Ok(apart);
        }
        let topics: Vec<(String, String)> = sqlx::query_as(
            "with recursive first as (
                 (select topic, reason from flotilla.outbox_set_apart
                  order by topic, batch, place limit 1)
                 union all
                 select next.topic, next.reason from first, lateral (
                     select topic, reason from flotilla.outbox_set_apart where topic > first.topic
                     order by topic, batch, place limit 1) next)
             select topic, reason from first",
        )
        .fetch_all(db)
        .await?;
        for (topic, reason) in topics {
            apart.blocked(&topic, &reason).whole = true;
        }
        Ok(apart)
    }

    fn blocked(&mut self, topic: &str, reason: &str) -> &mut Blocked {
        self.blocked.entry(topic.to_owned()).or_insert_with(|| Blocked {
            whole: false,
            keys: HashSet::new(),
            reason: reason.to_owned(),
            round: Round::default(),
            held: false,
            due: Instant::now(),
            pause: RETRY_FIRST,
        })
    }

    /// Whether a message must wait behind one that is set apart.
    pub(super) fn blocks(&self, message: &Packed<'_>) -> bool {
        if self.blocked.is_empty() {
            return false;
        }
        let Some(blocked) = self.blocked.get(message.topic()) else { return false };
        blocked.whole || message.key().is_some_and(|key| blocked.keys.contains(key))
    }

    /// Sets apart a message that was refused; what is behind it has to wait from now on.
    pub(super) fn put_first(
        &mut self,
        batch: i64,
        place: i32,
        message: &Packed<'_>,
        verdict: Verdict,
        why: &str,
    ) {
        let is_first = !self.blocked.contains_key(message.topic());
        let blocked = self.blocked(message.topic(), why);
        if is_first {
            blocked.due += blocked.pause;
        }
        match (verdict, message.key()) {
            (Verdict::Topic, _) => blocked.whole = true,
            // A message without a key has no order with any other.
            (Verdict::Record | Verdict::Passing, None) => {}
            (Verdict::Record | Verdict::Passing, Some(key)) => {
                blocked.keys.insert(key.to_owned());
                blocked.whole |= blocked.keys.len() > KEYS_MAX;
            }
        }
        self.put(batch, place, message, why.to_owned());
    }

    /// Sets apart a message that waits behind another.
    pub(super) fn put_behind(&mut self, batch: i64, place: i32, message: &Packed<'_>) {
        self.put(batch, place, message, "waits behind an earlier one".to_owned());
    }

    fn put(&mut self, batch: i64, place: i32, message: &Packed<'_>, reason: String) {
        self.new.push(Waiting {
            batch,
            place,
            topic: message.topic().to_owned(),
            key: message.key().map(<[u8]>::to_owned),
            packed: pack_again(message),
            reason,
        });
    }

    /// Sets apart a message that is to be published again.
    pub(super) fn put_again(&mut self, batch: i64, place: i32, message: &Packed<'_>) {
        self.put(batch, place, message, AGAIN.to_owned());
    }

    /// Makes a whole topic wait until older messages are put before those that it has waiting. Returns
    /// whether messages were sent to it until now.
    pub(super) fn hold(&mut self, topic: &str) -> bool {
        let blocked = self.blocked(topic, AGAIN);
        blocked.whole = true;
        !std::mem::replace(&mut blocked.held, true)
    }

    /// Ends the hold: what waits of the topic is sent, from the oldest on.
    pub(super) fn let_go(&mut self, topic: &str) {
        if let Some(blocked) = self.blocked.get_mut(topic) {
            (blocked.held, blocked.round) = (false, Round::default());
            (blocked.due, blocked.pause) = (Instant::now(), RETRY_FIRST);
        }
    }

    /// What is not in the table yet.
    pub(super) fn to_write(&self) -> &[Waiting] {
        &self.new
    }

    /// It is in the table now.
    pub(super) fn written(&mut self) {
        self.new.clear();
    }

    /// Topics of which something waits that is due to be tried again.
    pub(super) fn due(&self) -> Vec<String> {
        let now = Instant::now();
        let due = self.blocked.iter().filter(|(_, blocked)| !blocked.held && blocked.due <= now);
        due.map(|(topic, _)| topic.clone()).collect()
    }

    /// How long until something is tried again.
    pub(super) fn due_in(&self) -> Duration {
        let free = self.blocked.values().filter(|blocked| !blocked.held);
        let next = free.map(|blocked| blocked.due).min();
        next.map_or(Duration::MAX, |due| due.saturating_duration_since(Instant::now()))
    }

    /// The pass over a topic that was begun, or a new one.
    pub(super) fn take_round(&mut self, topic: &str) -> Round {
        self.blocked.get_mut(topic).map(|b| std::mem::take(&mut b.round)).unwrap_or_default()
    }

    /// A topic was tried: its pass goes on, or is over.
    pub(super) fn tried(&mut self, topic: &str, round: Round, still: Still) {
        let Some(blocked) = self.blocked.get_mut(topic) else { return };
        match still {
            Still::Nothing => {
                self.blocked.remove(topic);
                return;
            }
            Still::Keys(keys) => {
                blocked.whole = keys.len() > KEYS_MAX;
                blocked.keys = keys.into_iter().collect();
            }
            // There may be more to publish: go on at once.
            Still::More => {
                blocked.round = round;
                return;
            }
            Still::Everything => {}
        }
        blocked.pause = (blocked.pause * 2).min(RETRY_LAST);
        blocked.due = Instant::now() + blocked.pause;
    }

    /// What operators have to know, if anything waits.
    pub(super) fn reason(&self) -> Option<String> {
        let each =
            self.blocked.iter().map(|(topic, blocked)| format!("{topic}: {}", blocked.reason));
        let all: Vec<String> = each.collect();
        (!all.is_empty()).then(|| {
            format!(
                "events are set apart ({}) in flotilla.outbox_set_apart, later ones of the same keys behind \
                 them, and sent until Kafka takes them; docs/runbook.md says what to do",
                all.join("; ")
            )
        })
    }
}

/// What still waits of a topic after it was tried.
pub(super) enum Still {
    Nothing,
    Keys(BTreeSet<Vec<u8>>),
    More,
    Everything,
}

/// A page of what waits.
pub(super) struct Page {
    pub(super) places: Vec<(i64, i32)>,
    pub(super) rows: Vec<Vec<u8>>,
}

/// The next messages of a pass.
pub(super) async fn page(
    db: &mut PgConnection,
    topic: &str,
    round: &Round,
    (messages, bytes): (i64, i64),
) -> Result<Page, sqlx::Error> {
    let without: Vec<&[u8]> = round.refused.iter().map(Vec::as_slice).collect();
    let found: Vec<(i64, i32, Vec<u8>)> = sqlx::query_as(
        "select batch, place, packed from (
             select batch, place, packed, sum(octet_length(packed)) over (order by batch, place)
                                          - octet_length(packed) as before
             from flotilla.outbox_set_apart
             where topic = $1 and (batch, place) > ($5, $6)
               and (key is null or not key = any($2))
             order by batch, place limit $3) oldest
         where before < $4 order by batch, place",
    )
    .bind(topic)
    .bind(without)
    .bind(messages)
    .bind(bytes)
    .bind(round.after.0)
    .bind(round.after.1)
    .fetch_all(db)
    .await?;
    let places = found.iter().map(|(batch, place, _)| (*batch, *place)).collect();
    Ok(Page { places, rows: found.into_iter().map(|(_, _, packed)| packed).collect() })
}

/// Deletes those that are published.
pub(super) async fn forget(
    db: &mut PgConnection,
    topic: &str,
    places: &[(i64, i32)],
) -> Result<(), sqlx::Error> {
    let (batches, places): (Vec<i64>, Vec<i32>) = places.iter().copied().unzip();
    sqlx::query(
        "delete from flotilla.outbox_set_apart w
         using unnest($2::bigint[], $3::int[]) as v (batch, place)
         where w.topic = $1 and w.batch = v.batch and w.place = v.place",
    )
    .bind(topic)
    .bind(batches)
    .bind(places)
    .execute(db)
    .await?;
    Ok(())
}

/// Writes what was set apart, in the transaction that holds the lease. Some of it may be there already: it
/// was written before the row around it was noted as published.
pub(super) async fn write(db: &mut PgConnection, all: &[Waiting]) -> Result<(), sqlx::Error> {
    if all.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into flotilla.outbox_set_apart (batch, place, topic, key, packed, reason)
         select * from unnest($1::bigint[], $2::int[], $3::text[], $4::bytea[], $5::bytea[],
                              $6::text[])
         on conflict do nothing",
    )
    .bind(all.iter().map(|w| w.batch).collect::<Vec<_>>())
    .bind(all.iter().map(|w| w.place).collect::<Vec<_>>())
    .bind(all.iter().map(|w| w.topic.as_str()).collect::<Vec<_>>())
    .bind(all.iter().map(|w| w.key.as_deref()).collect::<Vec<_>>())
    .bind(all.iter().map(|w| w.packed.as_slice()).collect::<Vec<_>>())
    .bind(all.iter().map(|w| w.reason.as_str()).collect::<Vec<_>>())
    .execute(db)
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refuse(apart: &mut Apart, topic: &str, key: &str) {
        let (key, headers, payload) = (Some(key.as_bytes()), Vec::new(), None);
        let message = Packed::Raw { topic, key, headers, payload };
        apart.put_first(1, 0, &message, Verdict::Record, "too large");
    }

    #[test]
    fn a_topic_that_is_refused_again_and_again_does_not_put_off_another() {
        let mut apart = Apart::default();
        refuse(&mut apart, "a", "1");
        refuse(&mut apart, "b", "2");
        let of = |apart: &Apart, topic: &str| apart.blocked[topic].due;
        let (a, b) = (of(&apart, "a"), of(&apart, "b"));
        refuse(&mut apart, "b", "3");
        assert_eq!((of(&apart, "a"), of(&apart, "b")), (a, b));
        apart.tried("b", Round::default(), Still::Everything);
        assert_eq!(of(&apart, "a"), a);
        assert!(of(&apart, "b") > b);
        apart.blocked.get_mut("a").unwrap().due = Instant::now();
        assert_eq!(apart.due(), ["a"]);
    }

    #[test]
    fn a_topic_is_held_from_the_first_request_on() {
        let mut apart = Apart::default();
        refuse(&mut apart, "a", "1");
        assert!(apart.hold("a"), "until now it was sent to");
        assert!(!apart.hold("a"));
        apart.let_go("a");
        assert!(apart.hold("a"));
    }
}
