//! Whether topics keep what they acknowledge, checked while the service runs: somebody may change them, or
//! repair what was wrong at the start.

use std::sync::Arc;
use std::time::Duration;

use crate::ops::health::Health;
use crate::wire::topics;

/// How often topics are looked at. Their settings change once in months.
const EVERY: Duration = Duration::from_secs(300);
/// How often while something is wrong with them, for the person who is repairing it.
const EVERY_UNSAFE: Duration = Duration::from_secs(10);

/// Looks for as long as it is not aborted.
pub(super) async fn run(brokers: String, topics: Vec<String>, health: Arc<Health>) {
    loop {
        let pause = match topics::safety(&brokers, &topics).await {
            Ok(found) => {
                let complaints = found.iter().filter_map(|(topic, safety)| {
                    safety.complaint().map(|complaint| format!("{topic}: {complaint}"))
                });
                let complaints: Vec<String> = complaints.collect();
                match complaints.is_empty() {
                    true => {
                        health.has("topics");
                        EVERY
                    }
                    false => {
                        let all = complaints.join("; ");
                        let reason = format!("{all}; `flotilla topics apply` sets it");
                        health.waits_for("topics", reason);
                        EVERY_UNSAFE
                    }
                }
            }
            // Kafka is away, which others report, or does not let us ask.
            Err(error) => {
                tracing::debug!(error = %error, "topics cannot be looked at");
                EVERY
            }
        };
        tokio::time::sleep(pause).await;
    }
}
