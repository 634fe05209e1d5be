//! Rows on their way to Kafka, and what is known about each of their messages. Separate from sending, as it
//! outlives attempts: what was acknowledged once is not sent again because of its neighbours.

use std::collections::{BTreeSet, VecDeque};

use super::apart::Apart;
use super::hand_over::CommittedBatch;
use super::publisher::Sent;
use super::verdict::Verdict;
use crate::publish::outbox::{Packed, unpack};

pub(crate) struct Delivery<'r> {
    rows: &'r VecDeque<CommittedBatch>,
    pub(crate) messages: Vec<Packed<'r>>,
    /// The number of each row's first message.
    firsts: Vec<usize>,
    /// Acknowledged, or set apart.
    settled: Vec<bool>,
    /// How many were acknowledged.
    pub(super) taken: u64,
    /// Topics of which a record was refused: their messages are sent one by one, as Kafka refuses a whole request
    /// because of one record.
    delicate: BTreeSet<&'r str>,
    /// The first row that this build cannot read; these rows end there.
    pub(super) unreadable: Option<i64>,
}

impl<'r> Delivery<'r> {
    pub(crate) fn of(rows: &'r VecDeque<CommittedBatch>) -> Self {
        let mut messages = Vec::new();
        let mut firsts = Vec::with_capacity(rows.len());
        let mut unreadable = None;
        for row in rows {
            let Ok(unpacked) = unpack(&row.row) else {
                unreadable = Some(row.number);
                break;
            };
            firsts.push(messages.len());
            match messages.is_empty() {
                true => messages = unpacked,
                false => messages.extend(unpacked),
            }
        }
        let settled = vec![false; messages.len()];
        let (taken, delicate) = (0, BTreeSet::new());
        Delivery { rows, messages, firsts, settled, taken, delicate, unreadable }
    }

    /// Numbers of the messages that are still to be sent: together, and one by one. What must not
    /// overtake what is set apart is set apart too.
    pub(super) fn pending(&mut self, apart: &mut Apart) -> (Vec<usize>, Vec<usize>) {
        let (mut together, mut one_by_one) = (Vec::with_capacity(self.messages.len()), Vec::new());
        for number in 0..self.messages.len() {
            if self.settled[number] || self.is_behind(number, apart) {
                continue;
            }
            match self.delicate.contains(self.messages[number].topic()) {
                true => one_by_one.push(number),
                false => together.push(number),
            }
        }
        (together, one_by_one)
    }

    /// Sets a message apart if an earlier one of its key is, and returns whether it did.
    pub(super) fn is_behind(&mut self, number: usize, apart: &mut Apart) -> bool {
        let behind = apart.blocks(&self.messages[number]);
        if behind {
            let (batch, place) = self.place(number);
            apart.put_behind(batch, place, &self.messages[number]);
            self.settled[number] = true;
        }
        behind
    }

    /// Sets apart a message that Kafka refused.
    pub(super) fn refused(
        &mut self,
        number: usize,
        verdict: Verdict,
        why: &str,
        apart: &mut Apart,
    ) {
        let (batch, place) = self.place(number);
        apart.put_first(batch, place, &self.messages[number], verdict, why);
        self.settled[number] = true;
    }

    /// Sets apart all messages of a topic, to be published again.
    pub(super) fn put_again(&self, topic: &str, apart: &mut Apart) {
        for (number, message) in self.messages.iter().enumerate() {
            if message.topic() == topic {
                let (batch, place) = self.place(number);
                apart.put_again(batch, place, message);
            }
        }
    }

    /// Takes over what was acknowledged; returns how many messages that were.
    pub(super) fn take_over(&mut self, sent: &Sent, numbers: &[usize]) -> u64 {
        let mut count = 0;
        for &number in numbers {
            if sent.is_acknowledged(number) {
                self.settled[number] = true;
                count += 1;
            }
        }
        self.taken += count;
        count
    }

    /// From now on messages of this one's topic are sent one by one.
    pub(super) fn handle_with_care(&mut self, number: usize) {
        let topic = self.messages[number].topic();
        self.delicate.insert(topic);
    }

    /// The last row that is wholly settled along with all rows before it, given what is under way.
    pub(super) fn progress(&self, sent: Option<&Sent>) -> Option<i64> {
        let is_settled = |number: &usize| {
            self.settled[*number] || sent.is_some_and(|s| s.is_acknowledged(*number))
        };
        let unsettled = (0..self.messages.len()).find(|number| !is_settled(number));
        let rows = match unsettled {
            Some(number) => self.row_of(number),
            None => self.firsts.len(),
        };
        rows.checked_sub(1).map(|last| self.rows[last].number)
    }

    fn place(&self, number: usize) -> (i64, i32) {
        let row = self.row_of(number);
        (self.rows[row].number, (number - self.firsts[row]) as i32)
    }

    fn row_of(&self, number: usize) -> usize {
        self.firsts.partition_point(|first| *first <= number) - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::outbox::{BatchWriter, EventMeta};

    fn row(number: i64, keys: &[&str]) -> CommittedBatch {
        let mut writer = BatchWriter::default();
        for key in keys {
            let meta = EventMeta { sequence: number, time_micros: 0, cause: None, trace: None };
            let written: Result<(), ()> = writer.event("t", "T", key, &meta, |_| Ok(()));
            written.unwrap();
        }
        CommittedBatch { number, message_count: writer.count(), row: writer.finish() }
    }

    #[test]
    fn what_is_behind_a_refused_record_of_its_key_is_set_apart_and_nothing_else() {
        let rows = VecDeque::from([row(7, &["a", "b"]), row(8, &["a"]), row(9, &["c"])]);
        let mut delivery = Delivery::of(&rows);
        let mut apart = Apart::default();
        assert_eq!(delivery.pending(&mut apart), (vec![0, 1, 2, 3], vec![]));
        delivery.refused(0, Verdict::Record, "too large", &mut apart);
        assert_eq!(delivery.pending(&mut apart), (vec![1, 3], vec![]));
        assert_eq!(delivery.progress(None), None, "b of the first row is not sent yet");
        delivery.handle_with_care(1);
        assert_eq!(delivery.pending(&mut apart), (vec![], vec![1, 3]));
        assert_eq!(apart.to_write().len(), 2);
    }

    #[test]
    fn rows_end_where_one_cannot_be_read_and_those_before_it_are_published() {
        let broken = CommittedBatch { number: 8, message_count: 1, row: vec![99] };
        let rows = VecDeque::from([row(7, &["a"]), broken, row(9, &["a"])]);
        let mut delivery = Delivery::of(&rows);
        assert_eq!(delivery.unreadable, Some(8));
        assert_eq!(delivery.pending(&mut Apart::default()), (vec![0], vec![]));
        delivery.settled[0] = true;
        assert_eq!(delivery.progress(None), Some(7));
    }
}
