//! The three statements over a table of rows by key, put together once. Separate from the rows, as this is
//! text: what is in a table and how a column changes.

use std::fmt::Write as _;
use std::sync::Arc;

/// A table with a row for each key. Besides the columns named here it has `sequence`, `version` and
/// `changed_at`, which are kept by the chassis.
#[derive(Debug, Clone, Copy)]
pub struct Table {
    /// Its name, which is also how a lost race for its rows is called.
    pub name: &'static str,
    /// The column of the key: a `uuid`, the primary key.
    pub key: &'static str,
    /// The columns of the state.
    pub columns: &'static [(&'static str, Change)],
}

/// What becomes of a column when its row is written again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It is as the state says.
    Set,
    /// Where the state has none it stays as it was, for those who look at the row.
    Keep,
}

/// The statements, shared by all batches.
#[derive(Debug, Clone)]
pub(super) struct Sql {
    texts: Arc<Texts>,
}

#[derive(Debug)]
struct Texts {
    select: String,
    insert: String,
    update: String,
}

impl Sql {
    pub(super) fn of(Table { name, key, columns }: &Table) -> Self {
        let mut list = String::new();
        let mut set = String::new();
        for (column, change) in *columns {
            let value = match change {
                Change::Set => format!("v.{column}"),
                Change::Keep => format!("coalesce(v.{column}, t.{column})"),
            };
            write!(list, ", {column}").expect("a string takes everything");
            write!(set, ", {column} = {value}").expect("a string takes everything");
        }
        let texts = Texts {
            select: format!(
                "select {key}, sequence, version, changed_at{list} from {name} where {key} = any($1)"
            ),
            insert: format!(
                "insert into {name} ({key}, version, sequence, changed_at{list}) \
                 select {key}, 1, sequence, changed_at{list} from {{rows}} v"
            ),
            update: format!(
                "update {name} t \
                 set version = t.version + 1, sequence = v.sequence, changed_at = v.changed_at{set} \
                 from {{rows}} v where t.{key} = v.{key} and t.version = v.version"
            ),
        };
        Sql { texts: Arc::new(texts) }
    }

    /// Reads rows; the keys are its parameter.
    pub(super) fn select(&self) -> String {
        self.texts.select.clone()
    }

    /// Adds rows to [`Writes`](crate::Writes).
    pub(super) fn insert(&self) -> String {
        self.texts.insert.clone()
    }

    /// Changes rows that still have the version that they were read with.
    pub(super) fn update(&self) -> String {
        self.texts.update.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_name_every_column_and_change_it_as_it_says() {
        let columns = &[("state", Change::Set), ("destination", Change::Keep)];
        let sql = Sql::of(&Table { name: "shipments", key: "order_id", columns });
        assert_eq!(
            sql.select(),
            "select order_id, sequence, version, changed_at, state, destination from shipments \
             where order_id = any($1)"
        );
        assert_eq!(
            sql.insert(),
            "insert into shipments (order_id, version, sequence, changed_at, state, destination) \
             select order_id, 1, sequence, changed_at, state, destination from {rows} v"
        );
        assert_eq!(
            sql.update(),
            "update shipments t set version = t.version + 1, sequence = v.sequence, \
             changed_at = v.changed_at, state = v.state, \
             destination = coalesce(v.destination, t.destination) \
             from {rows} v where t.order_id = v.order_id and t.version = v.version"
        );
    }
}
