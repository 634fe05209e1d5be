//! `?wait=terminal`: the answer comes when a row has reached its end, or when the time is over.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use tokio::time::{Instant, sleep_until, timeout_at};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{Hub, Watched};
use crate::executor::handle::Handle;
use crate::http::problem::Problem;
use crate::service::Service;

/// How long to wait when the request does not say.
const DEFAULT_SECONDS: u64 = 30;
/// How long a request may wait. Proxies cut connections that are silent for a minute.
const SECONDS_MAX: u64 = 55;

/// Whether to wait.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct WaitQuery {
    /// `terminal`: answer when it has come to its end, or when the time is over.
    #[param(inline, nullable = false)]
    wait: Option<Until>,
    /// How long the whole request may wait, 1 to 55; 30 when left out.
    #[param(minimum = 1, maximum = 55, nullable = false)]
    timeout_seconds: Option<u64>,
}

#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Until {
    Terminal,
}

impl WaitQuery {
    /// How long to wait, if at all.
    pub fn duration(&self) -> Result<Option<Duration>, Problem> {
        let seconds = self.timeout_seconds.unwrap_or(DEFAULT_SECONDS);
        if !(1..=SECONDS_MAX).contains(&seconds) {
            let rule = format!("must be 1 to {SECONDS_MAX}");
            return Err(Problem::invalid_query("timeout_seconds", rule));
        }
        Ok(self.wait.map(|Until::Terminal| Duration::from_secs(seconds)))
    }
}

impl<W: Watched> Hub<W> {
    /// A row at its end, or as it is when the time is over or the service stops. `None` when there is no
    /// such row.
    pub async fn wait_for_end<S: Service>(
        self: &Arc<Self>,
        handle: &Handle<S>,
        key: Uuid,
        patience: Duration,
    ) -> Result<Option<Arc<W>>, Problem> {
        let deadline = Instant::now() + patience;
        let mut watcher = self.watch(key)?;
        let first = timeout_at(deadline, watcher.first()).await;
        let Some(mut row) = first.map_err(|_elapsed| Problem::not_read_in_time())? else {
            return Ok(None);
        };
        while !row.has_ended() {
            tokio::select! {
                newer = watcher.next() => row = newer,
                () = sleep_until(deadline) => break,
                () = handle.shutting_down() => break,
            }
        }
        Ok(Some(row))
    }
}
