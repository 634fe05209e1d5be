//! Everything a batch writes, as one statement. A round trip to Postgres costs more than the row it
//! carries, and a batch of one pays for each of them: in one statement there is one, and no `begin` and
//! `commit` beside it, as a statement by itself is a transaction.

use std::fmt::Write as _;

use sqlx::postgres::PgArguments;
use sqlx::{Arguments, AssertSqlSafe, Encode, PgConnection, Postgres, Type};

use crate::failure::Failure;

/// What `flotilla.conflict` raises.
const CONFLICT: &str = "FL001";

/// The writes of one batch. All of them happen, or none.
///
/// Each is a statement of its own text with its own parameters, and no two may write the same row: in
/// Postgres the parts of one statement see the database as it was before it.
#[derive(Default)]
pub struct Writes {
    parts: Vec<Part>,
    arguments: PgArguments,
    error: Option<sqlx::error::BoxDynError>,
}

struct Part {
    sql: &'static str,
    /// How many parameters stand before this part's.
    before: usize,
    /// The parameter that says how many rows it must write, and what these are.
    expected: Option<(usize, &'static str)>,
}

/// The parameters of one write.
pub struct Parameters<'w> {
    writes: &'w mut Writes,
}

impl Writes {
    /// Adds an `insert`, `update` or `delete` without a `returning`, its parameters numbered from `$1`.
    pub fn add(&mut self, sql: &'static str) -> Parameters<'_> {
        let before = self.arguments.len();
        self.parts.push(Part { sql, before, expected: None });
        Parameters { writes: self }
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Runs the statement: by itself a transaction, or the last one of a transaction that is open.
    pub async fn execute(self, db: &mut PgConnection) -> Result<(), Failure> {
        if !self.is_empty() {
            let sql = format!("{} select 1::bigint where {}", self.with(), self.checks());
            self.run(db, sql).await?;
        }
        Ok(())
    }

    /// Like [`Writes::execute`], and appends the outbox row of the batch; answers the batch's number.
    /// The lock on the head of the outbox comes last, when all else is written: every other replica's
    /// batch waits for it until this transaction ends. `announce` wakes the replica that holds the
    /// relay's lease, when that is not this one.
    pub(crate) async fn execute_with_outbox(
        mut self,
        db: &mut PgConnection,
        message_count: u32,
        row: &[u8],
        announce: bool,
    ) -> Result<i64, Failure> {
        let first = self.arguments.len() + 1;
        let (second, third) = (first + 1, first + 2);
        let comma = if self.is_empty() { "with" } else { "," };
        let sql = format!(
            "{} {comma} head as (update flotilla.outbox_head set batch = batch + 1 where {} \
                              returning batch), \
             packed as (insert into flotilla.outbox (batch, message_count, messages) \
                        select batch, ${first}, ${second} from head), \
             told as (select pg_notify('flotilla_outbox', '') where ${third}) \
             select batch from head left join told on true",
            self.with(),
            self.checks(),
        );
        self.bind(message_count as i32);
        self.bind(row);
        self.bind(announce);
        self.run(db, sql).await
    }

    /// The parts as `with part_0 as (…), part_1 as (…)`, their parameters numbered through.
    fn with(&self) -> String {
        let mut sql = String::new();
        for (index, part) in self.parts.iter().enumerate() {
            let word = if index == 0 { "with" } else { "," };
            write!(sql, "{word} part_{index} as (").expect("a string takes everything");
            renumber(&mut sql, part.sql, part.before);
            sql.push_str(" returning 1)");
        }
        sql
    }

    /// What must hold once all parts are written. Asking for their counts also makes Postgres write them
    /// before it goes on.
    fn checks(&self) -> String {
        let mut sql = String::from("true");
        for (index, part) in self.parts.iter().enumerate() {
            let done = match part.expected {
                Some((parameter, what)) => write!(
                    sql,
                    " and case when (select count(*) from part_{index}) = ${parameter} then true \
                      else flotilla.conflict('{what}') end"
                ),
                None => write!(sql, " and (select count(*) from part_{index}) >= 0"),
            };
            done.expect("a string takes everything");
        }
        sql
    }

    fn bind<'q, T: Encode<'q, Postgres> + Type<Postgres>>(&mut self, value: T) {
        if let Err(error) = self.arguments.add(value) {
            self.error.get_or_insert(error);
        }
    }

    async fn run(self, db: &mut PgConnection, sql: String) -> Result<i64, Failure> {
        if let Some(error) = self.error {
            return Err(Failure::permanent(error));
        }
        // Nothing in it comes from outside: texts of the program, and numbers of parameters.
        let query = sqlx::query_scalar_with(AssertSqlSafe(sql), self.arguments);
        query.fetch_one(db).await.map_err(|error| {
            let raised =
                error.as_database_error().filter(|e| e.code().as_deref() == Some(CONFLICT));
            let what = raised.and_then(|raised| {
                let expected = self.parts.iter().filter_map(|part| part.expected);
                expected.map(|(_, what)| what).find(|what| *what == raised.message())
            });
            what.map_or_else(|| error.into(), Failure::conflict)
        })
    }
}

impl Parameters<'_> {
    /// The next parameter.
    pub fn bind<'q, T: Encode<'q, Postgres> + Type<Postgres>>(self, value: T) -> Self {
        self.writes.bind(value);
        self
    }

    /// So many rows must be written. Fewer mean that another transaction changed one of them since it
    /// was read: nothing of the batch is written, and it runs again. `what` names the rows.
    pub fn expect(self, rows: usize, what: &'static str) {
        self.writes.bind(rows as i64);
        let parameter = self.writes.arguments.len();
        let part = self.writes.parts.last_mut().expect("parameters belong to a part");
        part.expected = Some((parameter, what));
    }
}

/// Appends a statement whose parameters come after `before` others.
fn renumber(out: &mut String, sql: &str, before: usize) {
    let mut pieces = sql.split('$');
    out.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        let digits = piece.len() - piece.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let number: usize = piece[..digits].parse().expect("a parameter has a number");
        write!(out, "${}{}", number + before, &piece[digits..]).expect("a string takes everything");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_numbered_through_and_each_expectation_has_its_own() {
        let mut writes = Writes::default();
        writes.add("update a set x = v.x from unnest($1::int[], $2::int[]) as v").bind(1).bind(2);
        writes.add("delete from b where id = $1").bind(3).expect(1, "b");
        assert_eq!(
            writes.with(),
            "with part_0 as (update a set x = v.x from unnest($1::int[], $2::int[]) as v returning 1)\
             , part_1 as (delete from b where id = $3 returning 1)"
        );
        assert!(writes.checks().contains("(select count(*) from part_1) = $4 then true"));
    }
}
