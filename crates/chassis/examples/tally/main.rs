//! A service for the chassis' own tests, which run it as a process and kill it: it adds up amounts per key and tells
//! each new total. It keeps its rows by hand, under keys that are texts and that all replicas share, so that what
//! the chassis leaves to a service is tested too. The example to read is `examples/loyalty`.

#[path = "language.rs"]
mod language;

use std::collections::HashMap;
use std::process::ExitCode;
use std::time::Duration;

use chassis::{
    App, Calls, CommandError, Effects, Env, Failure, Handle, Hears, Json, Outside, Remembered,
    Service, Unanswered, Writes,
};
use language::{AdditionRequested, RequestEvent, TotalChanged};
use sqlx::PgConnection;
use sqlx::migrate::Migrator;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

static MIGRATIONS: Migrator = sqlx::migrate!("examples/tally/migrations");

#[global_allocator]
static ALLOCATOR: chassis::Allocator = chassis::Allocator;

fn main() -> ExitCode {
    chassis::main(app)
}

fn app(env: &mut Env) -> App<Tally> {
    let what = "how long it takes until a bonus is known, in milliseconds";
    let takes = Duration::from_millis(env.parsed("BONUS_TAKES_MS", 0, what));
    App::new(Tally::default(), &MIGRATIONS)
        .calls(Bonus { takes })
        .hears::<RequestEvent>()
        .publishes::<TotalChanged>()
        .serves(routes)
}

/// What this replica wrote last it need not read again, unless another replica was faster.
#[derive(Default)]
struct Tally {
    remembered: Remembered<String, Row>,
}

#[derive(Default)]
struct Row {
    total: i64,
    additions: i64,
    sequence: i64,
    /// Zero for a row that is not in the table yet.
    version: i64,
    unread: bool,
    changed: bool,
}

/// Gives a total whose key is a UUID 10 more after its first addition.
struct Bonus {
    takes: Duration,
}

impl Outside<Tally> for Bonus {
    const NAME: &'static str = "bonus";

    async fn call(&self, key: Uuid, _age: Duration) -> Result<AdditionRequested, Unanswered> {
        tokio::time::sleep(self.takes).await;
        Ok(AdditionRequested { key: key.to_string(), amount: 10 })
    }
}

impl Calls for Tally {
    async fn open_calls(
        &self,
        db: &mut PgConnection,
        keys: &[Uuid],
    ) -> Result<Vec<(Uuid, Uuid)>, Failure> {
        let open = "select key::uuid from totals where key = any($1::text[]) and additions = 1";
        let open: Vec<Uuid> = sqlx::query_scalar(open).bind(keys).fetch_all(db).await?;
        Ok(open.into_iter().map(|key| (key, key)).collect())
    }
}

impl Hears<RequestEvent> for Tally {
    /// Whoever was charged too much waits for it.
    const NEVER_DEAD_LETTERED: &'static [&'static str] = &["AdditionReversed"];

    fn hear(event: RequestEvent, _sequence: i64) -> Option<AdditionRequested> {
        Some(match event {
            RequestEvent::Requested(event) => event,
            RequestEvent::Reversed(event) => {
                AdditionRequested { key: event.key, amount: event.amount.saturating_neg() }
            }
        })
    }
}

impl Service for Tally {
    const NAME: &'static str = "tally";
    type Input = AdditionRequested;
    type Call = Uuid;
    type Reply = i64;
    type Rows = HashMap<String, Row>;
    /// Anybody may ask any replica to add to any key.
    const LOCKS: bool = true;

    async fn load(
        &self,
        db: &mut PgConnection,
        inputs: &[&AdditionRequested],
    ) -> Result<Self::Rows, Failure> {
        let mut keys: Vec<String> = inputs.iter().map(|input| input.key.clone()).collect();
        let mut known = self.remembered.take(&mut keys);
        if !keys.is_empty() {
            known.extend(read(db, READ, keys).await?);
        }
        Ok(known)
    }

    async fn load_locked(
        &self,
        db: &mut PgConnection,
        inputs: &[&AdditionRequested],
    ) -> Result<Self::Rows, Failure> {
        let keys = inputs.iter().map(|input| input.key.clone()).collect();
        Ok(read(db, READ_AND_LOCK, keys).await?.collect())
    }

    fn decide(
        &self,
        rows: &mut Self::Rows,
        input: &AdditionRequested,
        effects: &mut Effects<Uuid>,
    ) -> i64 {
        assert!(input.key != "panic", "told to panic");
        if input.amount == 0 {
            effects.refuse("nothing to add");
            return rows.get(&input.key).map_or(0, |row| row.total);
        }
        let row = rows.entry(input.key.clone()).or_default();
        row.changed = true;
        row.total += input.amount;
        row.additions += 1;
        row.sequence += 1;
        let event = TotalChanged { key: input.key.clone(), total: row.total };
        effects.publish(row.sequence, &event);
        if let (1, Ok(key)) = (row.additions, input.key.parse()) {
            effects.call(key, key);
        }
        row.total
    }

    fn save(&self, rows: &Self::Rows, writes: &mut Writes) -> Result<(), Failure> {
        if rows.values().any(|row| row.unread && !row.changed) {
            return Err(Failure::unread("totals"));
        }
        let changed = rows.iter().filter(|(_, row)| row.changed);
        let (new, old): (Vec<_>, Vec<_>) = changed.partition(|(_, row)| row.version == 0);
        write(
            writes,
            &new,
            "insert into totals (key, total, additions, sequence, version)
             select v.key, v.total, v.additions, v.sequence, 1
             from {rows} v",
        );
        write(
            writes,
            &old,
            "update totals t
             set total = v.total, additions = v.additions, sequence = v.sequence,
                 version = t.version + 1
             from {rows} v
             where t.key = v.key and t.version = v.version",
        );
        Ok(())
    }

    fn committed(&self, rows: Self::Rows) {
        let changed = rows.into_iter().filter(|(_, row)| row.changed);
        self.remembered.put(changed.map(|(key, row)| {
            (key, Row { version: row.version + 1, unread: true, changed: false, ..row })
        }));
    }
}

const READ: &str =
    "select key, total, additions, sequence, version from totals where key = any($1)";
const READ_AND_LOCK: &str = "select key, total, additions, sequence, version from totals
                             where key = any($1) order by key for update";

async fn read(
    db: &mut PgConnection,
    statement: &'static str,
    keys: Vec<String>,
) -> Result<impl Iterator<Item = (String, Row)>, sqlx::Error> {
    let rows: Vec<(String, i64, i64, i64, i64)> =
        sqlx::query_as(statement).bind(keys).fetch_all(db).await?;
    Ok(rows.into_iter().map(|(key, total, additions, sequence, version)| {
        let (unread, changed) = (false, false);
        (key, Row { total, additions, sequence, version, unread, changed })
    }))
}

fn write(writes: &mut Writes, rows: &[(&String, &Row)], statement: &'static str) {
    if rows.is_empty() {
        return;
    }
    writes
        .add(statement)
        .column("key", rows.iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>())
        .column("total", rows.iter().map(|(_, row)| row.total).collect::<Vec<_>>())
        .column("additions", rows.iter().map(|(_, row)| row.additions).collect::<Vec<_>>())
        .column("sequence", rows.iter().map(|(_, row)| row.sequence).collect::<Vec<_>>())
        .column("version", rows.iter().map(|(_, row)| row.version).collect::<Vec<_>>())
        .expect(rows.len(), "a total");
}

fn routes(handle: Handle<Tally>) -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(add)).with_state(handle)
}

/// Adds an amount.
#[utoipa::path(post, path = "/additions", responses((status = 200, description = "The new total")))]
async fn add(
    axum::extract::State(handle): axum::extract::State<Handle<Tally>>,
    headers: axum::http::HeaderMap,
    Json(body): Json<serde_json::Value>,
) -> Result<Json<i64>, CommandError> {
    let key = body["key"].as_str().unwrap_or("none").to_owned();
    let amount = body["amount"].as_i64().unwrap_or(1);
    handle.submit_traced(AdditionRequested { key, amount }, &headers).await.map(Json)
}
