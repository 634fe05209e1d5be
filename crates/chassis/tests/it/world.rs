//! The world of a test: a set of servers, a database and a set of topics, in which one test at a time starts and
//! kills processes of the example service. A world is used by one test after the other; they keep out of each
//! other's way by their keys.

mod servers;
mod strangers;
mod messages;
mod detour;
mod database;
mod lease;
mod metrics;
mod processes;
mod values;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};

use chassis::testing::{Framer, Outsider};
use events::Events;
use serde_json::Value;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tokio::task::JoinSet;

#[path = "../../examples/tally/language.rs"]
mod language;

pub(crate) use detour::Detour;
pub(crate) use language::AdditionRequested;
use language::{AdditionReversed, RequestEvent, TotalChanged};
pub(crate) use messages::{headers_of, headers_of_reversal, request};
use processes::Processes;
pub(crate) use processes::example;
use servers::{Turn, Urls};

/// How long anything may take before a test gives up. Generous: the machine may be busy with others.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
const REQUESTS: &str = RequestEvent::TOPIC;
const TOTALS: &str = TotalChanged::TOPIC;
const DEAD: &str = "tally.dead-letters";

static KEYS: AtomicU32 = AtomicU32::new(0);

/// One test's turn.
pub(crate) struct World {
    pub(crate) urls: Urls,
    db: PgPool,
    outsider: Arc<Outsider>,
    framer: Arc<Framer>,
    sending: JoinSet<()>,
    processes: Processes,
    /// The last to go: the processes above use the servers.
    turn: Turn,
}

impl World {
    /// A world that no other test is in.
    pub(crate) async fn enter() -> Self {
        let turn = Turn::take().await;
        let urls = turn.urls.clone();
        World {
            db: PgPoolOptions::new().max_connections(3).connect(&urls.owner).await.unwrap(),
            outsider: Arc::new(Outsider::new(&urls.brokers).unwrap()),
            framer: Arc::new(messages::framer(&urls).await),
            sending: JoinSet::new(),
            processes: Processes::new(urls.clone()),
            urls,
            turn,
        }
    }

    /// A key that no other test, and no earlier run, uses.
    pub(crate) fn fresh_key(&self, name: &str) -> String {
        format!("{name}-{}-{}", std::process::id(), KEYS.fetch_add(1, Relaxed))
    }
}

/// Asks until the answer is good, for as long as patience lasts.
pub(crate) async fn wait<T>(what: &str, mut ask: impl AsyncFnMut() -> Result<T, String>) -> T {
    let started = Instant::now();
    loop {
        match ask().await {
            Ok(found) => return found,
            Err(why) if started.elapsed() > PATIENCE => panic!("waited for {what}, but {why}"),
            Err(_not_yet) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

/// A JSON answer over HTTP.
pub(crate) type Answer = (u16, Value);
