//! Everything a batch writes, as one statement. A round trip to Postgres costs more than the row it
//! carries, and a batch of one pays for each of them: one statement takes one, without a `begin` and a
//! `commit` around it, as a single statement is a transaction.

use std::borrow::Cow;
use std::fmt::Write as _;

use sqlx::postgres::{PgArguments, PgHasArrayType};
use sqlx::{Arguments, AssertSqlSafe, Encode, PgConnection, Postgres, Type, TypeInfo};

use crate::failure::Failure;

/// What `flotilla.conflict` raises.
const CONFLICT: &str = "FL001";

/// The writes of one batch. All of them happen, or none.
///
/// Each is a statement over its own rows, and no two may write the same row: in Postgres the parts of
/// one statement see the database as it was before it.
#[derive(Default)]
pub struct Writes {
    parts: Vec<Part>,
    arguments: PgArguments,
    error: Option<sqlx::error::BoxDynError>,
}

struct Part {
    sql: Cow<'static, str>,
    columns: Vec<Column>,
    /// The parameter that says how many rows it must write, and what they are called.
    expected: Option<(usize, &'static str)>,
}

struct Column {
    name: &'static str,
    /// The parameter that holds the value of the one row, or the array of all values.
    parameter: usize,
    /// The parameter's type.
    of: String,
    is_array: bool,
}

/// The rows of one write, column by column.
pub struct Columns<'w> {
    writes: &'w mut Writes,
}

impl Writes {
    /// Adds an `insert`, `update` or `delete` without a `returning`. Its rows go where it says
    /// `{rows}`: as a table, with the columns that are added to the returned value.
    pub fn add(&mut self, sql: &'static str) -> Columns<'_> {
        self.push(sql.into())
    }

    /// The same, for a text that is composed of such texts.
    pub(crate) fn add_built(&mut self, sql: String) -> Columns<'_> {
        self.push(sql.into())
    }

    fn push(&mut self, sql: Cow<'static, str>) -> Columns<'_> {
        self.parts.push(Part { sql, columns: Vec::new(), expected: None });
        Columns { writes: self }
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Runs the statement: by itself a transaction, or the last one of an open transaction.
    pub async fn execute(self, db: &mut PgConnection) -> Result<(), Failure> {
        if !self.is_empty() {
            let sql = format!("{} select 1::bigint where {}", self.with(), self.checks());
            self.run(db, sql).await?;
        }
        Ok(())
    }

    /// Like [`Writes::execute`], and appends the outbox row of the batch; returns the batch's number.
    /// The lock on the head of the outbox comes last, when everything else is written: every other replica's
    /// batch waits for it until this transaction ends. `announce` wakes the replica that holds the
    /// relay's lease, when that is not this one.
    pub(crate) async fn execute_with_outbox(
        mut self,
        db: &mut PgConnection,
        message_count: u32,
        row: &[u8],
        announce: bool,
    ) -> Result<i64, Failure> {
        let sql = self.with_outbox(message_count, row, announce);
        self.run(db, sql).await
    }

    /// The text of the statement that appends the outbox row; adds its parameters.
    pub(crate) fn with_outbox(&mut self, message_count: u32, row: &[u8], announce: bool) -> String {
        let (count, messages) = (self.arguments.len() + 1, self.arguments.len() + 2);
        let comma = if self.is_empty() { "with" } else { "," };
        let answer = match announce {
            false => "select batch from head",
            true => "select batch from head, (select pg_notify('flotilla_outbox', '')) told",
        };
        let sql = format!(
            "{} {comma} head as (update flotilla.outbox_head set batch = batch + 1 where {} \
                              returning batch), \
             packed as (insert into flotilla.outbox (batch, message_count, messages) \
                        select batch, ${count}, ${messages} from head) \
             {answer}",
            self.with(),
            self.checks(),
        );
        self.bind(message_count as i32);
        self.bind(row);
        sql
    }

    /// The parts as `with part_0 as (…), part_1 as (…)`.
    fn with(&self) -> String {
        let mut sql = String::new();
        for (index, part) in self.parts.iter().enumerate() {
            let word = if index == 0 { "with " } else { ", " };
            write!(sql, "{word}part_{index} as (").expect("a string takes everything");
            sql.push_str(&part.sql.replace("{rows}", &part.rows()));
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

impl Part {
    /// One `unnest` for each column: `unnest` of several arrays at once buffers all of them first,
    /// which takes three times as long. A single row is its parameters themselves: the planner sees through
    /// that, and there are no nodes to start for it.
    fn rows(&self) -> String {
        let mut sql = String::from("(select");
        for (index, Column { name, parameter, of, is_array }) in self.columns.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            let written = match is_array {
                true => write!(sql, "{comma} unnest(${parameter}::{of}) as {name}"),
                false => write!(sql, "{comma} ${parameter}::{of} as {name}"),
            };
            written.expect("a string takes everything");
        }
        sql.push(')');
        sql
    }
}

impl Columns<'_> {
    /// The next column: a value for every row, in the order of the rows.
    pub fn column<'q, T>(self, name: &'static str, values: impl AsRef<[T]>) -> Self
    where
        T: Encode<'q, Postgres> + Type<Postgres> + PgHasArrayType,
    {
        let (of, is_array) = match values.as_ref() {
            [value] => {
                self.writes.bind(value);
                (T::type_info(), false)
            }
            values => {
                self.writes.bind(values);
                (T::array_type_info(), true)
            }
        };
        let parameter = self.writes.arguments.len();
        let column = Column { name, parameter, of: of.name().to_owned(), is_array };
        let part = self.writes.parts.last_mut().expect("columns belong to a part");
        part.columns.push(column);
        self
    }

    /// The next column, for rows that hold several: what `value` takes out of each.
    pub fn each<'r, R, T>(
        self,
        name: &'static str,
        rows: &'r [R],
        value: impl Fn(&'r R) -> T,
    ) -> Self
    where
        T: Encode<'r, Postgres> + Type<Postgres> + PgHasArrayType,
    {
        self.column(name, rows.iter().map(value).collect::<Vec<T>>())
    }

    /// This many rows must be written. Fewer mean that another transaction changed one of them since it
    /// was read: nothing of the batch is written, and it runs again. `what` names the rows.
    pub fn expect(self, rows: usize, what: &'static str) {
        self.writes.bind(rows as i64);
        let parameter = self.writes.arguments.len();
        let part = self.writes.parts.last_mut().expect("columns belong to a part");
        part.expected = Some((parameter, what));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_columns_of_numbered_parameters_and_each_expectation_has_its_own() {
        let mut writes = Writes::default();
        writes
            .add("update a set x = v.x from {rows} v where a.id = v.id")
            .column("id", [1_i64, 2])
            .column("x", [Some("x"), None]);
        writes
            .add("delete from b using {rows} v where b.id = v.id")
            .column("id", [2_i32])
            .expect(1, "b");
        assert_eq!(
            writes.with(),
            "with part_0 as (update a set x = v.x from (select unnest($1::INT8[]) as id, \
             unnest($2::TEXT[]) as x) v where a.id = v.id returning 1), \
             part_1 as (delete from b using (select $3::INT4 as id) v where b.id = v.id \
             returning 1)"
        );
        assert!(writes.checks().contains("(select count(*) from part_1) = $4 then true"));
    }
}
