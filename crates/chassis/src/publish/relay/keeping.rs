//! How long published rows stay in the outbox. They are kept for a stated time, so that a topic that lost
//! its log can be published again; then they are deleted in strokes, oldest first, by numbers that are
//! known in memory, so that nothing has to be searched.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use sqlx::PgConnection;

use crate::run::config::Kept;

/// One stroke covers at most this share of the time that rows are kept, but at least a second.
const STROKES: u32 = 100;
const STROKE_MIN: Duration = Duration::from_secs(1);
/// This much is deleted at once, as the lease is renewed in the same transaction: the backlog of a night would
/// take longer than a lease lasts, or than a statement may.
const STROKE_BYTES: i64 = 32 * 1024 * 1024;
/// This many rows of former tenures are read between two renewals of the lease: a fraction of a second, while
/// all of them may take longer than a statement may.
const ROWS_AT_ONCE: i64 = 50_000;

/// What is currently kept.
pub(super) struct Keeping {
    kept: Kept,
    strokes: VecDeque<Stroke>,
    bytes: i64,
    /// Nothing up to here is in the table any more.
    gone: i64,
}

/// Rows that are deleted together.
struct Stroke {
    /// The last of them.
    batch: i64,
    began: Instant,
    bytes: i64,
}

impl Keeping {
    pub(super) fn nothing(kept: Kept, published: i64) -> Self {
        Keeping { kept, strokes: VecDeque::new(), bytes: 0, gone: published }
    }

    /// Takes up the next of what former tenures left, in strokes of the same length and size. Returns whether
    /// there may be more.
    pub(super) async fn load(
        &mut self,
        db: &mut PgConnection,
        published: i64,
    ) -> Result<bool, sqlx::Error> {
        let after = self.strokes.back().map_or(0, |last| last.batch);
        let found: Vec<(i64, f64, i64, i64)> = sqlx::query_as(
            "select max(batch), extract(epoch from now() - min(created_at))::float8,
                    sum(octet_length(messages))::bigint, count(*)
             from (select batch, created_at, messages,
                          sum(octet_length(messages)) over (order by batch) as bytes
                   from flotilla.outbox where batch > $4 and batch <= $1
                   order by batch limit $5) published
             group by floor(extract(epoch from created_at) / $2), floor(bytes / $3) order by 1",
        )
        .bind(published)
        .bind(stroke_of(self.kept.time).as_secs_f64())
        .bind(STROKE_BYTES)
        .bind(after)
        .bind(ROWS_AT_ONCE)
        .fetch_all(db)
        .await?;
        let now = Instant::now();
        let mut rows = 0;
        for (batch, age, bytes, count) in found {
            let age = Duration::try_from_secs_f64(age.max(0.0)).unwrap_or_default();
            // A machine that has run for less than that has nothing older to compare with.
            let began = now.checked_sub(age).unwrap_or(now);
            self.gone = 0;
            self.bytes += bytes;
            self.strokes.push_back(Stroke { batch, began, bytes });
            rows += count;
        }
        Ok(rows == ROWS_AT_ONCE)
    }

    /// Everything up to a batch is published, this many bytes more than before.
    pub(super) fn published(&mut self, batch: i64, bytes: usize) {
        let bytes = bytes as i64;
        self.bytes += bytes;
        match self.strokes.back_mut() {
            Some(last)
                if last.began.elapsed() < stroke_of(self.kept.time)
                    && last.bytes < STROKE_BYTES =>
            {
                last.batch = batch;
                last.bytes += bytes;
            }
            Some(_) | None => {
                self.strokes.push_back(Stroke { batch, began: Instant::now(), bytes });
            }
        }
    }

    /// Rows that need not be kept any longer, as many as may be deleted at once: those after the first number, up
    /// to the second.
    pub(super) fn to_clear(&self) -> (i64, i64) {
        let (mut kept, mut cleared, mut clear) = (self.bytes, 0, self.gone);
        for stroke in &self.strokes {
            let is_over = self.kept.time.is_zero()
                || kept > self.kept.bytes
                || stroke.began.elapsed() >= self.kept.time + stroke_of(self.kept.time);
            let is_too_much = cleared > 0 && cleared + stroke.bytes > STROKE_BYTES;
            if !is_over || is_too_much {
                break;
            }
            kept -= stroke.bytes;
            cleared += stroke.bytes;
            clear = stroke.batch;
        }
        (self.gone, clear)
    }

    /// They are deleted.
    pub(super) fn cleared(&mut self, up_to: i64) {
        self.gone = self.gone.max(up_to);
        while let Some(first) = self.strokes.front()
            && first.batch <= up_to
        {
            self.bytes -= first.bytes;
            self.strokes.pop_front();
        }
    }
}

fn stroke_of(time: Duration) -> Duration {
    (time / STROKES).max(STROKE_MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn without_a_time_everything_that_is_published_goes_at_once() {
        let mut keeping = Keeping::nothing(Kept { time: Duration::ZERO, bytes: 10 }, 7);
        keeping.published(9, 100);
        assert_eq!(keeping.to_clear(), (7, 9));
        keeping.cleared(9);
        assert_eq!(keeping.to_clear(), (9, 9));
    }

    #[test]
    fn rows_are_kept_for_their_time_and_go_sooner_where_they_are_too_many() {
        let mut keeping = Keeping::nothing(Kept { time: HOUR, bytes: 250 }, 0);
        let old = |batch, minutes: u64| Stroke {
            batch,
            began: Instant::now().checked_sub(Duration::from_secs(60 * minutes)).unwrap(),
            bytes: 100,
        };
        keeping.strokes.extend([old(1, 3), old(2, 2)]);
        keeping.bytes = 200;
        assert_eq!(keeping.to_clear(), (0, 0));
        keeping.published(3, 100);
        assert_eq!(keeping.to_clear(), (0, 1), "300 bytes are too many");
        keeping.cleared(1);
        assert_eq!(keeping.to_clear(), (1, 1));
        keeping.kept.time = Duration::from_secs(60);
        assert_eq!(keeping.to_clear(), (1, 2), "and two minutes too long");
    }

    #[test]
    fn what_is_over_goes_stroke_by_stroke_and_a_stroke_is_bounded() {
        let mut keeping = Keeping::nothing(Kept { time: HOUR, bytes: i64::MAX }, 0);
        (1..=3).for_each(|batch| keeping.published(batch, STROKE_BYTES as usize));
        keeping.published(4, 1);
        keeping.published(5, 1);
        keeping.kept.time = Duration::ZERO;
        for stroke in [(0, 1), (1, 2), (2, 3), (3, 5), (5, 5)] {
            assert_eq!(keeping.to_clear(), stroke);
            keeping.cleared(stroke.1);
        }
        assert_eq!(keeping.bytes, 0);
    }
}
