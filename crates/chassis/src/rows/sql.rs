//! The three statements over a table of rows by key, composed once. Separate from the rows, as this is
//! text: what is in a table and how a column changes.

use std::sync::Arc;

/// A table with a row for each key. Besides the columns named here it has `sequence` and `version`, which are
/// kept by the chassis.
#[derive(Debug, Clone, Copy)]
pub struct Table {
    /// Its name, which also names a lost race for its rows.
    pub name: &'static str,
    /// The column of the key: a `uuid`, the primary key.
    pub key: &'static str,
    /// Whether the time of the last change is kept too, in `changed_at`.
    pub is_dated: bool,
    /// The columns of the state.
    pub columns: &'static [Column],
}

/// A column of a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    name: &'static str,
    change: Change,
    is_read: bool,
}

/// What happens to a column when its row is written again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Set,
    Keep,
    Append,
    Never,
}

impl Column {
    /// A column that is set to the state's value.
    pub const fn set(name: &'static str) -> Self {
        Column { name, change: Change::Set, is_read: true }
    }

    /// A column that keeps its value in the table if the state has none, for people who look at the row.
    pub const fn keep(name: &'static str) -> Self {
        Column { name, change: Change::Keep, is_read: true }
    }

    /// A column to which the state's value is appended. It is not read.
    pub const fn append(name: &'static str) -> Self {
        Column { name, change: Change::Append, is_read: false }
    }

    /// A column that is written with a new row, by [`Stored::write_new`](super::Stored::write_new).
    pub const fn once(name: &'static str) -> Self {
        Column { name, change: Change::Never, is_read: true }
    }

    /// The same, for people who look at the row and not for decisions.
    pub const fn not_read(self) -> Self {
        Column { is_read: false, ..self }
    }
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
    pub(super) fn of(Table { name, key, is_dated, columns }: &Table) -> Self {
        let (mut all, mut read, mut set) = (String::new(), String::new(), String::new());
        let dated = is_dated.then_some(Column::set("changed_at"));
        for Column { name, change, is_read } in dated.iter().chain(*columns) {
            all.push_str(&format!(", {name}"));
            if *is_read {
                read.push_str(&format!(", {name}"));
            }
            let value = match change {
                Change::Set => format!("v.{name}"),
                Change::Keep => format!("coalesce(v.{name}, t.{name})"),
                Change::Append => format!("t.{name} || v.{name}"),
                Change::Never => continue,
            };
            set.push_str(&format!(", {name} = {value}"));
        }
        let texts = Texts {
            select: format!(
                "select {key}, sequence, version{read} from {name} where {key} = any($1)"
            ),
            insert: format!(
                "insert into {name} ({key}, version, sequence{all}) \
                 select {key}, 1, sequence{all} from {{rows}} v"
            ),
            update: format!(
                "update {name} t set version = t.version + 1, sequence = v.sequence{set} \
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
        const COLUMNS: &[Column] = &[
            Column::set("state"),
            Column::keep("destination").not_read(),
            Column::append("history"),
            Column::once("total"),
        ];
        let sql = Sql::of(&Table { name: "orders", key: "id", is_dated: true, columns: COLUMNS });
        assert_eq!(
            sql.select(),
            "select id, sequence, version, changed_at, state, total from orders where id = any($1)"
        );
        assert_eq!(
            sql.insert(),
            "insert into orders (id, version, sequence, changed_at, state, destination, history, total) \
             select id, 1, sequence, changed_at, state, destination, history, total from {rows} v"
        );
        assert_eq!(
            sql.update(),
            "update orders t set version = t.version + 1, sequence = v.sequence, \
             changed_at = v.changed_at, state = v.state, \
             destination = coalesce(v.destination, t.destination), history = t.history || v.history \
             from {rows} v where t.id = v.id and t.version = v.version"
        );
        let undated = Sql::of(&Table { name: "t", key: "id", is_dated: false, columns: &[] });
        assert!(!undated.update().contains("changed_at"));
    }
}
