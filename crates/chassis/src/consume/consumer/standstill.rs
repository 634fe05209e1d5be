//! Partitions that this replica holds and makes no progress on, although they have something after the
//! database's offset. One after the other is read as the member would read it: it may end with what no
//! reader is shown, such as the mark of a transaction, and is then passed; or the brokers refuse it, which
//! they tell the member only once and for no partition in particular.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use rdkafka::error::RDKafkaErrorCode;

use super::hindrance::Hindrance;
use super::probe::Probe;
use super::sight::Seen;
use crate::consume::offsets::Partition;

/// How many looks in a row a partition must stand still. One that is worked on moves within one.
const LOOKS: u32 = 2;

/// What makes a partition go on whose records the client does not fetch although they can be read. We know of
/// no such case; without this it would stand still forever and report itself healthy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mend {
    FetchAgain,
    /// When fetching again did not help.
    Rejoin,
}

/// The pause after a mend; it doubles while the same partition stands at the same offset, up to the last.
const MEND_FIRST: Duration = Duration::from_secs(12);
const MEND_LAST: Duration = Duration::from_secs(300);

#[derive(Clone, Copy)]
struct Mended {
    /// Where it stood.
    stored: i64,
    at: Instant,
    pause: Duration,
}

/// Partitions that stand still.
#[derive(Default)]
pub(super) struct Standstill {
    /// Where each partition stood, and for how many looks.
    looks: HashMap<Partition, (i64, u32)>,
    refused: HashMap<Partition, RDKafkaErrorCode>,
    /// Those whose broker took too long at the last probe.
    silent: HashSet<Partition>,
    /// Those that no broker reported at the last look.
    hidden: HashSet<Partition>,
    /// Those that none reported at the one before, either.
    hidden_twice: HashSet<Partition>,
    /// For how many looks in a row consumer and executor were each idle at some moment.
    dry: u32,
    /// What was last done about each.
    mended: HashMap<Partition, Mended>,
    /// Where held partitions stood whose offset is not in their log.
    outside: HashMap<Partition, i64>,
}

impl Standstill {
    /// Takes what was seen of the held partitions; returns one to be probed, if any stands still.
    pub(super) fn look<'a>(&mut self, held: impl Iterator<Item = &'a Seen>) -> Option<Seen> {
        let mut looks = HashMap::new();
        let mut longest: Option<(u32, Seen)> = None;
        for seen in held.filter(|seen| seen.lag() > 0) {
            let before = self.looks.get(&seen.partition);
            let count = match before {
                Some((stored, count)) if *stored == seen.stored => count + 1,
                Some(_) | None => 0,
            };
            looks.insert(seen.partition, (seen.stored, count));
            if count >= LOOKS && longest.is_none_or(|(most, _)| count > most) {
                longest = Some((count, *seen));
            }
        }
        self.looks = looks;
        // What moves again is no longer refused.
        let stands = |partition: &Partition| self.looks.get(partition).is_some_and(|(_, n)| *n > 0);
        self.refused.retain(|partition, _| stands(partition));
        self.silent.retain(stands);
        let stands_at = |partition: &Partition, stored| {
            self.looks.get(partition).is_some_and(|(seen, _)| *seen == stored)
        };
        // Partitions that are being fetched again are not held at every look.
        let now = Instant::now();
        self.mended.retain(|partition, mended| {
            stands_at(partition, mended.stored) || now < mended.at + mended.pause
        });
        longest.map(|(_, seen)| seen)
    }

    /// Whether a held partition, outside of its log, is at the same offset as at the last look.
    pub(super) fn is_doubtful(&mut self, seen: &Seen) -> bool {
        self.outside.insert(seen.partition, seen.stored) == Some(seen.stored)
    }

    /// Takes whether consumer and executor both had nothing to do for a moment since the last look.
    pub(super) fn ran_dry(&mut self, dry: bool) {
        self.dry = if dry { self.dry + 1 } else { 0 };
    }

    /// Takes the partitions that no broker reports. One that was just created has no leader for a moment.
    pub(super) fn hid(&mut self, hidden: HashSet<Partition>) {
        self.hidden_twice = &hidden & &self.hidden;
        self.hidden = hidden;
    }

    /// Takes what a probe found of a partition that stands still, and whether nothing of it was handed over.
    /// It is the next one's turn now.
    pub(super) fn probed(
        &mut self,
        now: Instant,
        partition: Partition,
        found: Probe,
        gets_nothing: bool,
    ) -> Option<Mend> {
        self.refused.remove(&partition);
        self.silent.remove(&partition);
        let (stored, count) = self.looks.get_mut(&partition)?;
        *count = 1;
        match found {
            Probe::Refused(code) => {
                self.refused.insert(partition, code);
                None
            }
            Probe::Silent => {
                self.silent.insert(partition);
                None
            }
            Probe::Nothing => None,
            // It waits behind others, or for something else.
            Probe::Record if self.dry < LOOKS || !gets_nothing => None,
            Probe::Record => {
                let stored = *stored;
                self.mend(now, partition, stored)
            }
        }
    }

    /// First the gentle way, then with another member, and less and less often if that does not help.
    fn mend(&mut self, now: Instant, partition: Partition, stored: i64) -> Option<Mend> {
        let before = self.mended.get(&partition).filter(|mended| mended.stored == stored);
        if before.is_some_and(|before| now < before.at + before.pause) {
            return None;
        }
        self.dry = 0;
        if before.is_none() {
            self.mended.insert(partition, Mended { stored, at: now, pause: MEND_FIRST });
            return Some(Mend::FetchAgain);
        }
        // Another member fetches all of them again.
        for mended in self.mended.values_mut() {
            (mended.at, mended.pause) = (now, (mended.pause * 2).min(MEND_LAST));
        }
        Some(Mend::Rejoin)
    }

    /// Why held partitions give no records.
    pub(super) fn hindrances(&self) -> impl Iterator<Item = (Hindrance, String)> {
        let refused = self.refused.iter().filter_map(|(partition, code)| {
            let Partition { topic, number } = partition;
            Some((Hindrance::of(*code)?, format!("{topic}/{number}: {code}")))
        });
        let silent = self.silent.union(&self.hidden_twice).map(|Partition { topic, number }| {
            (Hindrance::Silent, format!("{topic}/{number}: no broker gives its records"))
        });
        refused.chain(silent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consume::brokers::Extent;

    fn seen(number: i32, stored: i64, end: i64) -> Seen {
        let partition = Partition { topic: "t", number };
        Seen { partition, stored, extent: Extent { first: 0, end }, stop: None }
    }

    #[test]
    fn what_stands_still_is_probed_in_turn_and_what_moves_or_has_nothing_is_not() {
        let mut standstill = Standstill::default();
        let mut look = |moving: i64| {
            let all = [seen(0, 5, 9), seen(1, moving, 9), seen(2, 9, 9), seen(3, 4, 9)];
            let found = standstill.look(all.iter());
            if let Some(seen) = found {
                standstill.probed(Instant::now(), seen.partition, Probe::Record, true);
            }
            found.map(|seen| seen.partition.number)
        };
        assert_eq!([1, 2].map(&mut look), [None, None]);
        let mut probed = [3, 4].map(&mut look);
        probed.sort_unstable();
        assert_eq!(probed, [Some(0), Some(3)]);
    }

    #[test]
    fn what_can_be_read_and_is_not_fetched_is_fetched_again_and_then_by_another_member() {
        let (stands, start) = ([seen(0, 5, 9)], Instant::now());
        let mut standstill = Standstill::default();
        let mut probe = |seconds, dry, gets_nothing| {
            let mut found = None;
            for _ in 0..=LOOKS {
                standstill.ran_dry(dry);
                found = standstill.look(stands.iter());
            }
            let partition = found.expect("it stands still").partition;
            let now = start + Duration::from_secs(seconds);
            standstill.probed(now, partition, Probe::Record, gets_nothing)
        };
        assert_eq!(probe(0, false, true), None, "its records may wait behind others");
        assert_eq!(probe(10, true, false), None, "something of it was handed over");
        assert_eq!(probe(20, true, true), Some(Mend::FetchAgain));
        assert_eq!(probe(30, true, true), None, "that takes a moment");
        assert_eq!(probe(40, true, true), Some(Mend::Rejoin));
        assert_eq!(probe(60, true, true), None, "a rejoin stops the whole group");
        assert_eq!(probe(70, true, true), Some(Mend::Rejoin));
    }

    #[test]
    fn several_partitions_that_are_not_fetched_lead_to_one_new_member() {
        let (stands, start) = ([seen(0, 5, 9), seen(1, 5, 9)], Instant::now());
        let mut standstill = Standstill::default();
        let mut mended = Vec::new();
        for look in 0..40 {
            standstill.ran_dry(true);
            if let Some(found) = standstill.look(stands.iter()) {
                let now = start + Duration::from_secs(3 * look);
                mended.extend(standstill.probed(now, found.partition, Probe::Record, true));
            }
        }
        let rejoins = mended.iter().filter(|mend| **mend == Mend::Rejoin).count();
        assert_eq!(mended[..2], [Mend::FetchAgain, Mend::FetchAgain]);
        assert_eq!((mended.len() - rejoins, rejoins), (2, 3), "{mended:?}");
    }

    #[test]
    fn what_no_broker_tells_of_at_two_looks_is_told_until_one_does() {
        let mut standstill = Standstill::default();
        let hidden = |numbers: &[i32]| numbers.iter().map(|n| seen(*n, 0, 0).partition).collect();
        let mut told = |numbers: &[i32]| {
            standstill.hid(hidden(numbers));
            standstill.hindrances().map(|(_, text)| text).collect::<Vec<_>>()
        };
        assert_eq!(told(&[1, 2]), [""; 0]);
        assert_eq!(told(&[2]), ["t/2: no broker gives its records"]);
        assert_eq!(told(&[]), [""; 0]);
    }

    #[test]
    fn what_is_outside_of_its_log_at_two_looks_is_doubtful_and_what_passes_is_not() {
        let mut standstill = Standstill::default();
        let doubtful = |standstill: &mut Standstill, at| standstill.is_doubtful(&seen(0, at, 9));
        assert!(!doubtful(&mut standstill, 20));
        assert!(!doubtful(&mut standstill, 30));
        assert!(doubtful(&mut standstill, 30));
    }

    #[test]
    fn a_refusal_holds_until_the_partition_moves() {
        let mut standstill = Standstill::default();
        let stands = [seen(0, 5, 9)];
        let looked = [(); 3].map(|()| standstill.look(stands.iter()));
        assert_eq!(looked, [None, None, Some(stands[0])]);
        let refused = Probe::Refused(RDKafkaErrorCode::TopicAuthorizationFailed);
        let now = Instant::now();
        assert_eq!(standstill.probed(now, stands[0].partition, refused, true), None);
        let hindered = |standstill: &Standstill| {
            standstill.hindrances().map(|(hindrance, _)| hindrance).collect::<Vec<_>>()
        };
        standstill.look(stands.iter());
        assert_eq!(hindered(&standstill), [Hindrance::NotAuthorized]);
        standstill.look([seen(0, 6, 9)].iter());
        assert_eq!(hindered(&standstill), []);
    }
}
