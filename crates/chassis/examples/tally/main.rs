//! The smallest service on the chassis: it adds up amounts per key and tells each new total. The
//! chassis' own tests run it as a process and kill it.

#[path = "language.rs"]
mod language;

use std::collections::HashMap;
use std::process::ExitCode;

use chassis::{App, Effects, Env, Failure, Handle, Hears, Json, NoCall, Refused, Service, Writes};
use language::{AdditionRequested, TotalChanged};
use sqlx::PgConnection;
use sqlx::migrate::Migrator;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

static MIGRATIONS: Migrator = sqlx::migrate!("examples/tally/migrations");

fn main() -> ExitCode {
    chassis::main(app)
}

fn app(_env: &mut Env) -> App<Tally> {
    App::new(Tally, &MIGRATIONS)
        .hears::<AdditionRequested>()
        .publishes::<TotalChanged>()
        .serves(routes)
}

struct Tally;

struct Row {
    total: i64,
    additions: i64,
    sequence: i64,
    /// Zero for a row that is not in the table yet.
    version: i64,
}

impl Hears<AdditionRequested> for Tally {
    fn hear(event: AdditionRequested) -> Option<AdditionRequested> {
        Some(event)
    }
}

impl Service for Tally {
    const NAME: &'static str = "tally";
    type Input = AdditionRequested;
    type Call = NoCall;
    type Reply = i64;
    type Rows = HashMap<String, Row>;

    async fn load(
        &self,
        db: &mut PgConnection,
        inputs: &[&AdditionRequested],
    ) -> Result<Self::Rows, Failure> {
        let keys: Vec<&str> = inputs.iter().map(|input| input.key.as_str()).collect();
        let rows: Vec<(String, i64, i64, i64, i64)> = sqlx::query_as(
            "select key, total, additions, sequence, version from totals where key = any($1)",
        )
        .bind(keys)
        .fetch_all(db)
        .await?;
        let row = |(key, total, additions, sequence, version)| {
            (key, Row { total, additions, sequence, version })
        };
        Ok(rows.into_iter().map(row).collect())
    }

    fn decide(
        &self,
        rows: &mut Self::Rows,
        input: &AdditionRequested,
        effects: &mut Effects<NoCall>,
    ) -> i64 {
        assert!(input.key != "panic", "told to panic");
        if input.amount == 0 {
            effects.refuse("nothing to add");
            return 0;
        }
        let new = Row { total: 0, additions: 0, sequence: 0, version: 0 };
        let row = rows.entry(input.key.clone()).or_insert(new);
        row.total += input.amount;
        row.additions += 1;
        row.sequence += 1;
        let event = TotalChanged { key: input.key.clone(), total: row.total };
        effects.publish(row.sequence, &event);
        row.total
    }

    fn save(&self, rows: &Self::Rows, writes: &mut Writes) -> Result<(), Failure> {
        let (new, old): (Vec<_>, Vec<_>) = rows.iter().partition(|(_, row)| row.version == 0);
        write(
            writes,
            &new,
            "insert into totals (key, total, additions, sequence, version)
             select v.key, v.total, v.additions, v.sequence, 1
             from unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[])
                  as v (key, total, additions, sequence, version)",
        );
        write(
            writes,
            &old,
            "update totals t
             set total = v.total, additions = v.additions, sequence = v.sequence,
                 version = t.version + 1
             from unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[])
                  as v (key, total, additions, sequence, version)
             where t.key = v.key and t.version = v.version",
        );
        Ok(())
    }
}

fn write(writes: &mut Writes, rows: &[(&String, &Row)], statement: &'static str) {
    if rows.is_empty() {
        return;
    }
    writes
        .add(statement)
        .bind(rows.iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>())
        .bind(rows.iter().map(|(_, row)| row.total).collect::<Vec<_>>())
        .bind(rows.iter().map(|(_, row)| row.additions).collect::<Vec<_>>())
        .bind(rows.iter().map(|(_, row)| row.sequence).collect::<Vec<_>>())
        .bind(rows.iter().map(|(_, row)| row.version).collect::<Vec<_>>())
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
) -> Result<Json<i64>, Refused> {
    let key = body["key"].as_str().unwrap_or("none").to_owned();
    let amount = body["amount"].as_i64().unwrap_or(1);
    handle.submit_traced(AdditionRequested { key, amount }, &headers).await.map(Json)
}
