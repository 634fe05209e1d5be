//! What a replica's `/metrics` say, and the troubles that they should tell of.

use serde_json::Value;
use sqlx::{Postgres, Transaction};

use super::{World, wait};

impl World {
    pub(crate) async fn metrics(&self, name: &str) -> String {
        match self.admin(name, "GET", "/metrics").await {
            (200, Value::String(text)) => text,
            answer => panic!("no metrics: {answer:?}"),
        }
    }

    /// Waits until a metric's series with this label has a value that is `good`.
    pub(crate) async fn wait_for_metric(
        &self,
        name: &str,
        metric: &str,
        label: &str,
        good: impl Fn(f64) -> bool,
    ) {
        wait(&format!("{metric} of {name}"), async || {
            let found = value(&self.metrics(name).await, metric, label);
            if found.is_some_and(&good) { Ok(()) } else { Err(format!("it is {found:?}")) }
        })
        .await;
    }

    /// Keeps every replica from processing, until the answer is dropped.
    pub(crate) async fn lock_totals(&self) -> Transaction<'static, Postgres> {
        let mut tx = self.db.begin().await.unwrap();
        sqlx::query("lock table totals in access exclusive mode").execute(&mut *tx).await.unwrap();
        tx
    }
}

/// All series with this label, added up: lag is shown partition by partition.
fn value(text: &str, metric: &str, label: &str) -> Option<f64> {
    let of_metric = |line: &&str| {
        line.strip_prefix(metric).is_some_and(|rest| rest.starts_with('{') && rest.contains(label))
    };
    let values = text.lines().filter(of_metric).map(|line| line.rsplit_once(' ')?.1.parse().ok());
    values.reduce(|sum: Option<f64>, value| Some(sum? + value?))?
}
