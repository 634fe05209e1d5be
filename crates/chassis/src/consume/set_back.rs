//! A database that was set back: restored from a backup, failed over to a standby that lagged, or a row of
//! offsets changed by hand. It has lost the effects of events that this process has passed, and nobody else
//! notices. Separate from the offsets, as what is remembered of the rows must be forgotten too, and somebody
//! has to be told.

use sqlx::PgConnection;

use crate::consume::offsets::{self, Positions, SetBack};
use crate::ops::telemetry::Telemetry;
use crate::rows::remembered;

/// Takes over the offsets that the database holds. Partitions where it is behind are fetched again from
/// there.
pub(crate) async fn look(
    db: &mut PgConnection,
    positions: &Positions,
    telemetry: &Telemetry,
) -> Result<(), sqlx::Error> {
    let set_back = offsets::refresh(db, positions).await?;
    if set_back.is_empty() {
        return Ok(());
    }
    remembered::forget();
    telemetry.metrics.partitions_set_back.add(set_back.len() as u64, &[]);
    for SetBack { partition, from, to } in set_back {
        tracing::error!(
            topic = partition.topic,
            partition = partition.number,
            processed = from,
            found = to,
            "the database was set back: events that it has lost the effects of are processed again; \
             docs/runbook.md says what else it has lost"
        );
    }
    Ok(())
}
