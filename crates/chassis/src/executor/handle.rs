//! What a service's routes hold: the way to submit a command, and the way to read.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use sqlx::PgPool;
use tokio::sync::{Semaphore, SemaphorePermit, broadcast, mpsc, oneshot};
use uuid::Uuid;

use crate::calls::intents;
use crate::calls::settle::{LongCall, OpenFor};
use crate::executor::clock::Clock;
use crate::executor::queue::{CommandError, Item, Origin, Work};
use crate::failure::Failure;
use crate::http::MAX_BODY_BYTES;
use crate::http::problem::Problem;
use crate::ops::health::Health;
use crate::ops::telemetry::{Telemetry, Traced};
use crate::service::{Calls, Service};

/// How long a command, or the retry of a dead letter, waits for its commit. Longer than a deadlock or a
/// failover of a connection, shorter than the patience of a load balancer.
pub(crate) const COMMAND_TIMEOUT: Duration = Duration::from_secs(10);

/// A service's routes get one; cheap to clone.
pub struct Handle<S: Service> {
    pub(crate) inner: Arc<Inner<S>>,
}

pub(crate) struct Inner<S: Service> {
    pub(crate) service: Arc<S>,
    /// Weak, so that callers do not keep a stopping executor alive.
    pub(crate) commands: mpsc::WeakSender<Item<S>>,
    pub(crate) db: PgPool,
    pub(crate) changes: broadcast::Sender<Uuid>,
    pub(crate) health: Arc<Health>,
    pub(crate) telemetry: Arc<Telemetry>,
    /// How much the requests whose commands wait may hold together.
    pub(crate) command_bytes: Semaphore,
    pub(crate) clock: Arc<Clock>,
}

impl<S: Service> Clone for Handle<S> {
    fn clone(&self) -> Self {
        Handle { inner: Arc::clone(&self.inner) }
    }
}

impl<S: Service> fmt::Debug for Handle<S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Handle<{}>", S::NAME)
    }
}

impl IntoResponse for CommandError {
    fn into_response(self) -> Response {
        Problem::from(self).into_response()
    }
}

impl From<CommandError> for Problem {
    fn from(error: CommandError) -> Self {
        match error {
            CommandError::Busy => Problem::new(StatusCode::TOO_MANY_REQUESTS, "too many requests")
                .code("busy")
                .detail("as many commands wait as may wait; try again in a moment")
                .retry_after(Duration::from_secs(1)),
            CommandError::Unavailable(reason) => {
                Problem::unavailable(reason).retry_after(Duration::from_secs(5))
            }
            CommandError::TimedOut => Problem::outcome_unknown(
                "not known to be carried out; send it again with the same Idempotency-Key",
            ),
            CommandError::Failed(_) => {
                Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the command failed")
                    .code("failed")
                    .detail("its transaction cannot be committed; the service's log says why")
            }
        }
    }
}

/// A command that waits for its commit.
struct Submitted<R> {
    answer: oneshot::Receiver<Result<R, CommandError>>,
    /// Ends with the answer.
    _span: Traced,
}

impl<R> Submitted<R> {
    async fn answered(self) -> Result<R, CommandError> {
        match tokio::time::timeout(COMMAND_TIMEOUT, self.answer).await {
            Ok(Ok(reply)) => reply,
            // The executor dropped the command unanswered: it stopped.
            Ok(Err(_dropped)) => Err(CommandError::TimedOut),
            Err(_elapsed) => Err(CommandError::TimedOut),
        }
    }
}

const STOPPING: CommandError = CommandError::Unavailable("the service is stopping");

fn no_place(error: mpsc::error::TrySendError<()>) -> CommandError {
    match error {
        mpsc::error::TrySendError::Full(()) => CommandError::Busy,
        mpsc::error::TrySendError::Closed(()) => STOPPING,
    }
}

/// The most that a request's body holds; 0 where there is none.
fn bytes_of(headers: &HeaderMap) -> u32 {
    let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    match length {
        Some(length) => u32::min(length, MAX_BODY_BYTES as u32),
        None if headers.contains_key(TRANSFER_ENCODING) => MAX_BODY_BYTES as u32,
        None => 0,
    }
}

impl<S: Service> Handle<S> {
    /// Submits a command and returns once its effect is committed.
    pub async fn submit(&self, input: S::Input) -> Result<S::Reply, CommandError> {
        self.submit_traced(input, &HeaderMap::new()).await
    }

    /// Like [`Handle::submit`], as part of the caller's trace where the headers name one.
    pub async fn submit_traced(
        &self,
        input: S::Input,
        headers: &HeaderMap,
    ) -> Result<S::Reply, CommandError> {
        // Held until the caller is answered.
        let _room = self.room(headers)?;
        self.submit_in_room(input, headers).await
    }

    /// Submits the commands of one request. Where not all of them may wait, none is submitted;
    /// each of those submitted is carried out or refused on its own.
    pub async fn submit_all(
        &self,
        inputs: Vec<S::Input>,
        headers: &HeaderMap,
    ) -> Result<Vec<Result<S::Reply, CommandError>>, CommandError> {
        let _room = self.room(headers)?;
        let Some(commands) = self.inner.commands.upgrade() else { return Err(STOPPING) };
        // All places at once, as a request that is refused as busy must have done nothing.
        let places = commands.try_reserve_many(inputs.len()).map_err(no_place)?;
        let mut submitted = Vec::with_capacity(inputs.len());
        for (place, input) in places.zip(inputs) {
            let (item, answer) = self.command(input, headers);
            place.send(item);
            submitted.push(answer);
        }
        drop(commands);
        Ok(futures::future::join_all(submitted.into_iter().map(Submitted::answered)).await)
    }

    /// Room for the body that the commands came in.
    fn room(&self, headers: &HeaderMap) -> Result<SemaphorePermit<'_>, CommandError> {
        if let Some(reason) = self.inner.health.refuses_commands() {
            return Err(CommandError::Unavailable(reason));
        }
        let room = self.inner.command_bytes.try_acquire_many(bytes_of(headers));
        room.map_err(|_full| CommandError::Busy)
    }

    async fn submit_in_room(
        &self,
        input: S::Input,
        headers: &HeaderMap,
    ) -> Result<S::Reply, CommandError> {
        let (item, submitted) = self.command(input, headers);
        let Some(commands) = self.inner.commands.upgrade() else { return Err(STOPPING) };
        commands.try_reserve().map_err(no_place)?.send(item);
        drop(commands);
        submitted.answered().await
    }

    /// A command for the queue, and where its answer arrives.
    fn command(&self, input: S::Input, headers: &HeaderMap) -> (Item<S>, Submitted<S::Reply>) {
        let (reply, answer) = oneshot::channel();
        let span = self.inner.telemetry.command_span(S::NAME, headers);
        let item = Item {
            work: Work::Input(input),
            origin: Origin::Command(reply),
            cause: None,
            trace: span.context(),
        };
        (item, Submitted { answer, _span: span })
    }

    /// A pool for reading. Writes go through commands.
    pub fn db(&self) -> &PgPool {
        &self.inner.db
    }

    /// The database's time, in microseconds since the Unix epoch: the same at every replica. A time in
    /// a command that is to be compared with other times is taken from it.
    pub fn now_micros(&self) -> i64 {
        self.inner.clock.now_micros()
    }

    /// Keys that decisions named with `Effects::changed`, after their commit, in this replica only.
    pub fn changes(&self) -> broadcast::Receiver<Uuid> {
        self.inner.changes.subscribe()
    }

    /// The calls to the outside whose outcome has been unknown for this long, the earliest first,
    /// and at most a page of them. For people to look at.
    pub async fn open_calls(&self, longer_than: &OpenFor) -> Result<Vec<LongCall<S::Call>>, Failure>
    where
        S: Calls,
    {
        let mut db = self.db().acquire().await?;
        let waiting = intents::open_for(&mut db, longer_than.duration(), OpenFor::MAX).await?;
        let keys: Vec<Uuid> = waiting.iter().map(|(key, _)| *key).collect();
        let open = self.inner.service.open_calls(&mut db, &keys).await?;
        let mut open: HashMap<Uuid, S::Call> = open.into_iter().collect();
        let still = |(key, asked_at)| Some(LongCall { key, call: open.remove(&key)?, asked_at });
        Ok(waiting.into_iter().filter_map(still).collect())
    }

    /// Resolves when the service begins to stop, so that endless responses can end.
    pub async fn shutting_down(&self) {
        self.inner.health.stopping().await;
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use axum::http::header::RETRY_AFTER;
    use futures::poll;
    use sqlx::PgConnection;

    use super::*;
    use crate::effects::Effects;
    use crate::executor::queue::{COMMANDS_BYTES_MAX, COMMANDS_MAX, Senders, queue};
    use crate::run::config::Config;
    use crate::run::env::Env;
    use crate::service::NoCall;

    /// Waits on a queue that nobody empties.
    pub(crate) struct Stuck;

    impl Service for Stuck {
        const NAME: &'static str = "stuck";
        type Input = ();
        type Call = NoCall;
        type Reply = ();
        type Rows = ();

        async fn load(&self, _: &mut PgConnection, _: &[&()]) -> Result<(), Failure> {
            Ok(())
        }

        fn decide(&self, _: &mut (), _: &(), _: &mut Effects<NoCall>) {}

        fn save(&self, _: &(), _: &mut crate::postgres::writes::Writes) -> Result<(), Failure> {
            Ok(())
        }
    }

    fn handle(senders: &Senders<Stuck>) -> Handle<Stuck> {
        let config = Config::read(&mut Env::from_fn(|_unset| None));
        let health = Health::new(1);
        health.set_started();
        health.set_database_up(true);
        Handle {
            inner: Arc::new(Inner {
                service: Arc::new(Stuck),
                commands: senders.commands.downgrade(),
                db: crate::postgres::database::readers("postgres://127.0.0.1:1/none", Stuck::NAME)
                    .unwrap(),
                changes: broadcast::channel(1).0,
                health: Arc::new(health),
                telemetry: Arc::new(Telemetry::start(Stuck::NAME, &config).unwrap()),
                clock: Arc::default(),
                command_bytes: Semaphore::new(COMMANDS_BYTES_MAX),
            }),
        }
    }

    #[tokio::test]
    async fn a_command_beyond_those_that_may_wait_is_refused_at_once_with_429() {
        // Nobody takes anything out of the queue.
        let (senders, _queue) = queue::<Stuck>();
        let handle = handle(&senders);
        let mut waiting = Vec::new();
        for _ in 0..COMMANDS_MAX {
            let mut command = Box::pin(handle.submit(()));
            assert!(poll!(&mut command).is_pending());
            waiting.push(command);
        }
        let refused = handle.submit(()).await.unwrap_err().into_response();
        assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
        assert!(refused.headers().contains_key(RETRY_AFTER));
    }

    #[tokio::test]
    async fn commands_that_came_in_one_body_are_submitted_together_or_not_at_all() {
        let (senders, queue) = queue::<Stuck>();
        let handle = handle(&senders);
        let mut waiting = Vec::new();
        for _ in 0..COMMANDS_MAX - 1 {
            let mut command = Box::pin(handle.submit(()));
            assert!(poll!(&mut command).is_pending());
            waiting.push(command);
        }
        let headers = HeaderMap::new();
        let refused = handle.submit_all(vec![(); 2], &headers).await;
        assert!(matches!(refused, Err(CommandError::Busy)), "{refused:?}");
        assert_eq!(queue.waiting(), COMMANDS_MAX - 1, "neither of the two was submitted");
        let mut last = Box::pin(handle.submit_all(vec![()], &headers));
        assert!(poll!(&mut last).is_pending(), "the place is there for whoever fits into it");
        assert_eq!(queue.waiting(), COMMANDS_MAX);
    }

    #[tokio::test]
    async fn commands_that_came_in_one_body_take_its_room_once_and_give_it_back() {
        let (senders, _queue) = queue::<Stuck>();
        let handle = handle(&senders);
        let headers = [(CONTENT_LENGTH, "45000".parse().unwrap())].into_iter().collect();
        let mut commands = Box::pin(handle.submit_all(vec![(); 500], &headers));
        assert!(poll!(&mut commands).is_pending());
        let room = &handle.inner.command_bytes;
        assert_eq!(room.available_permits(), COMMANDS_BYTES_MAX - 45_000);
        drop(commands);
        assert_eq!(room.available_permits(), COMMANDS_BYTES_MAX);
    }
}
