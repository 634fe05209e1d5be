//! The tasks of a service's process, each under its name. One that ends although nobody told it to makes the
//! service unready at once, and its reason is kept. Separate from start and stop, which both need it.

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{AbortHandle, Id, JoinError, JoinSet};

use super::crash;
use crate::ops::health::Health;

/// What a service's process is made of. Each runs for as long as the service does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// The public port.
    Http,
    /// The operators' port.
    Admin,
    Executor,
    Relay,
    Consumer,
    /// The look at the group.
    Watch,
    /// Also observes the service.
    Sweep,
    /// The look at the executor.
    Progress,
    /// The look at the topics' settings.
    Topics,
}

impl Part {
    /// Its name in logs, and for tests that tell it to panic.
    fn name(self) -> &'static str {
        match self {
            Part::Http => "http",
            Part::Admin => "admin",
            Part::Executor => "executor",
            Part::Relay => "relay",
            Part::Consumer => "consumer",
            Part::Watch => "watch",
            Part::Sweep => "sweep",
            Part::Progress => "progress",
            Part::Topics => "topics",
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// A part has ended although nobody told it to.
#[derive(Debug, thiserror::Error)]
#[error("part `{part}` has ended unexpectedly: {why}")]
pub(super) struct Ended {
    part: Part,
    why: String,
}

/// Everything that runs. What still runs is cancelled with it.
pub(super) struct Tasks {
    set: JoinSet<()>,
    running: Vec<(Part, AbortHandle)>,
    health: Arc<Health>,
}

impl Tasks {
    pub(super) fn new(health: Arc<Health>) -> Self {
        Tasks { set: JoinSet::new(), running: Vec::new(), health }
    }

    pub(super) fn spawn(&mut self, part: Part, task: impl Future<Output = ()> + Send + 'static) {
        let handle = self.set.spawn(async move {
            crash::point(part.name());
            task.await;
        });
        self.running.push((part, handle));
    }

    /// For a part that blocks a thread. It cannot be cancelled, only told to stop.
    pub(super) fn spawn_blocking(&mut self, part: Part, work: impl FnOnce() + Send + 'static) {
        let handle = self.set.spawn_blocking(move || {
            crash::point(part.name());
            work();
        });
        self.running.push((part, handle));
    }

    /// Resolves when a part has ended although nobody told it to. From then on callers are sent elsewhere.
    pub(super) async fn ended(&mut self) -> Ended {
        let (part, panic) = self.next().await;
        let why = panic.unwrap_or_else(|| "it returned".to_owned());
        let ended = Ended { part, why };
        self.health.blocked("process", format!("{ended}; the process ends with it"));
        ended
    }

    /// Waits for the end of a part that was told to stop, and cancels it when that takes too long.
    pub(super) async fn join(&mut self, part: Part, patience: Duration) {
        let joined = async {
            while self.handles(part).next().is_some() {
                if let (ended, Some(panic)) = self.next().await {
                    tracing::warn!("part `{ended}` did not end well: {panic}");
                }
            }
        };
        if tokio::time::timeout(patience, joined).await.is_err() {
            tracing::warn!("part `{part}` took too long and is cut short");
            self.handles(part).for_each(AbortHandle::abort);
        }
    }

    fn handles(&self, wanted: Part) -> impl Iterator<Item = &AbortHandle> {
        self.running.iter().filter(move |(part, _)| *part == wanted).map(|(_, handle)| handle)
    }

    /// The part that ends next, and what it said if it panicked.
    async fn next(&mut self) -> (Part, Option<String>) {
        loop {
            let (id, panic) = match self.set.join_next_with_id().await {
                Some(Ok((id, ()))) => (id, None),
                Some(Err(error)) => (error.id(), panic_of(error)),
                None => std::future::pending().await,
            };
            if let Some(part) = self.forget(id) {
                return (part, panic);
            }
        }
    }

    fn forget(&mut self, id: Id) -> Option<Part> {
        let place = self.running.iter().position(|(_, handle)| handle.id() == id)?;
        Some(self.running.swap_remove(place).0)
    }
}

/// None if it was cancelled.
fn panic_of(error: JoinError) -> Option<String> {
    let payload: Box<dyn Any + Send> = error.try_into_panic().ok()?;
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
    Some(format!("it panicked: {}", text.unwrap_or("without a word")))
}

#[cfg(test)]
mod tests {
    use tokio_util::sync::CancellationToken;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    fn ready() -> (Tasks, Arc<Health>) {
        let health = Arc::new(Health::new(1));
        health.set_started();
        health.set_database_up(true);
        assert!(health.is_ready());
        (Tasks::new(Arc::clone(&health)), health)
    }

    #[tokio::test]
    async fn a_part_that_ends_makes_the_service_unready_and_is_known_with_its_reason() {
        for (panics, why) in [(true, "it panicked: no more"), (false, "it returned")] {
            let (mut tasks, health) = ready();
            tasks.spawn(Part::Executor, std::future::pending());
            tasks.spawn(Part::Sweep, async move { assert!(!panics, "no more") });
            let ended = tasks.ended().await.to_string();
            assert_eq!(ended, format!("part `sweep` has ended unexpectedly: {why}"));
            assert!(!health.is_ready());
            assert!(health.conditions()["process"].reason.starts_with(&ended));
        }
    }

    #[tokio::test]
    async fn a_part_that_blocks_a_thread_is_watched_like_any() {
        let (mut tasks, health) = ready();
        tasks.spawn_blocking(Part::Consumer, || panic!("no brokers"));
        assert!(tasks.ended().await.to_string().contains("`consumer`"));
        assert!(!health.is_ready());
    }

    #[tokio::test]
    async fn an_end_that_was_asked_for_is_none_to_report() {
        let (mut tasks, health) = ready();
        let stop = CancellationToken::new();
        tasks.spawn(Part::Relay, stop.clone().cancelled_owned());
        tasks.spawn(Part::Watch, stop.clone().cancelled_owned());
        stop.cancel();
        tasks.join(Part::Relay, PATIENCE).await;
        assert!(health.is_ready());
    }

    #[tokio::test]
    async fn a_part_that_does_not_end_is_cancelled_and_holds_up_no_other() {
        let (mut tasks, _health) = ready();
        let (alive, cancelled) = tokio::sync::oneshot::channel::<()>();
        tasks.spawn(Part::Http, async {
            let _alive = alive;
            std::future::pending().await
        });
        tasks.spawn(Part::Relay, async {});
        tasks.join(Part::Http, Duration::ZERO).await;
        tasks.join(Part::Relay, PATIENCE).await;
        assert!(cancelled.await.is_err(), "what it held is gone");
    }
}
