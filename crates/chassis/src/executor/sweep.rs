//! The sweep: every so often, timers that became due in the database become inputs, and calls are made
//! again whose process died between the commit of the intent and the outcome. Between sweeps the
//! service is observed and forgets what is old, over the same connection.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::calls::CallQueue;
use crate::consume::heard::Heard;
use crate::executor::clock::Clock;
use crate::executor::queue::{Item, Origin, Work};
use crate::executor::retention::Retention;
use crate::failure::Chain;
use crate::failure::Failure;
use crate::ops::health::Health;
use crate::ops::observe::Observer;
use crate::postgres::connection::Writer;
use crate::postgres::trouble::{PATIENCE, within};
use crate::service::Service;

/// The pause after a sweep that failed.
const FAILURE_PAUSE: Duration = Duration::from_secs(2);

/// What timers are measured against.
pub(crate) struct Time {
    pub(crate) clock: Arc<Clock>,
    pub(crate) heard: Heard,
}

/// What is done between sweeps.
pub(crate) struct Upkeep {
    pub(crate) observer: Observer,
    pub(crate) retention: Retention,
}

pub(crate) async fn run<S: Service>(
    service: Arc<S>,
    mut writer: Writer,
    outcomes: mpsc::WeakSender<Item<S>>,
    calls: Option<CallQueue<S>>,
    health: Arc<Health>,
    mut time: Time,
    mut upkeep: Upkeep,
) {
    while !health.is_stopping() {
        let pause = match sweep(&*service, calls.as_ref(), &mut writer, &mut time).await {
            Ok(due) => {
                health.has("sweep");
                let Some(outcomes) = outcomes.upgrade() else { break };
                for input in due {
                    let work = Work::Input(input);
                    let item = Item { work, origin: Origin::Timer, cause: None, trace: None };
                    if outcomes.send(item).await.is_err() {
                        return;
                    }
                }
                // What is due must not wait for either.
                observe(&*service, &mut writer, &mut upkeep.observer).await;
                forget(&mut writer, &mut upkeep.retention).await;
                S::SWEEP_EVERY
            }
            Err(failure) => {
                let reason = format!("what falls due is not looked for: {}", Chain(&failure));
                health.waits_for("sweep", reason);
                writer.noted(&failure);
                FAILURE_PAUSE
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = health.stopping() => {}
        }
    }
    writer.close().await;
}

async fn sweep<S: Service>(
    service: &S,
    calls: Option<&CallQueue<S>>,
    writer: &mut Writer,
    time: &mut Time,
) -> Result<Vec<S::Input>, Failure> {
    let db = writer.connection().await?;
    within(PATIENCE, async {
        if let Some(calls) = calls {
            calls.sweep(service, db).await?;
        }
        if !S::TIMERS {
            time.clock.read(db).await?;
            return Ok(Vec::new());
        }
        match time.heard.until(&time.clock, db).await? {
            Some(until) => service.sweep(db, until).await,
            // What was published during an absence is not heard yet.
            None => Ok(Vec::new()),
        }
    })
    .await
}

async fn observe<S: Service>(service: &S, writer: &mut Writer, observer: &mut Observer) {
    let observed = match writer.connection().await {
        Ok(db) => within(PATIENCE, observer.observe(service, db)).await,
        Err(error) => Err(error.into()),
    };
    if let Err(failure) = observed {
        tracing::warn!(error = %Chain(&failure), "the service cannot be observed");
        // It may be the only user of the connection.
        writer.noted(&failure);
    }
}

async fn forget(writer: &mut Writer, retention: &mut Retention) {
    let forgotten = match writer.connection().await {
        Ok(db) => within(PATIENCE, async { Ok(retention.sweep(db).await?) }).await,
        Err(error) => Err(error.into()),
    };
    if let Err(failure) = forgotten {
        tracing::warn!(error = %Chain(&failure), "what is old cannot be forgotten");
        writer.noted(&failure);
    }
}
