//! A batch's unit of work: a transaction where several statements write or lock, and otherwise just the
//! connection, since the one statement that writes is a transaction by itself.

use sqlx::{Connection, PgConnection, PgTransaction};

pub(super) enum Unit<'c> {
    Single(&'c mut PgConnection),
    Transaction(PgTransaction<'c>),
}

impl<'c> Unit<'c> {
    pub(super) async fn open(db: &'c mut PgConnection, begin: bool) -> Result<Self, sqlx::Error> {
        match begin {
            true => Ok(Unit::Transaction(db.begin().await?)),
            false => Ok(Unit::Single(db)),
        }
    }

    pub(super) fn db(&mut self) -> &mut PgConnection {
        match self {
            Unit::Single(db) => db,
            Unit::Transaction(tx) => tx,
        }
    }

    /// The same, with a transaction begun: more than one statement is to write.
    pub(super) async fn begun(self) -> Result<Self, sqlx::Error> {
        match self {
            Unit::Single(db) => Unit::open(db, true).await,
            begun @ Unit::Transaction(_) => Ok(begun),
        }
    }

    pub(super) async fn commit(self) -> Result<(), sqlx::Error> {
        match self {
            Unit::Single(_) => Ok(()),
            Unit::Transaction(tx) => tx.commit().await,
        }
    }
}
