//! The inbox: which event ids were processed, for subscriptions that do not promise idempotence.

use std::collections::HashSet;

use sqlx::PgConnection;

/// Inserts ids of events, as (topic, id), and returns those that already existed: duplicates. The
/// insert comes first and in the transaction of the effect, so that of two replicas that hold the same
/// event one waits for the other and then sees a duplicate.
pub(crate) async fn claim(
    db: &mut PgConnection,
    mut ids: Vec<(&str, &str)>,
) -> Result<HashSet<(String, String)>, sqlx::Error> {
    if ids.is_empty() {
        return Ok(HashSet::new());
    }
    // In the same order for everybody: two batches that share ids must not wait for each other.
    ids.sort_unstable();
    ids.dedup();
    let claimed: Vec<(String, String)> = sqlx::query_as(
        "insert into flotilla.inbox (topic, event_id)
         select * from unnest($1::text[], $2::text[])
         on conflict do nothing returning topic, event_id",
    )
    .bind(ids.iter().map(|(topic, _)| *topic).collect::<Vec<_>>())
    .bind(ids.iter().map(|(_, id)| *id).collect::<Vec<_>>())
    .fetch_all(db)
    .await?;
    let claimed: HashSet<(String, String)> = claimed.into_iter().collect();
    let all = ids.into_iter().map(|(topic, id)| (topic.to_owned(), id.to_owned()));
    Ok(all.filter(|id| !claimed.contains(id)).collect())
}
