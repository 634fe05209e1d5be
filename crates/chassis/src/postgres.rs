//! What the chassis needs of Postgres, for any purpose: a pool with deadlines, migrations, the one statement that
//! writes a batch, and how to tell temporary trouble from lasting trouble.

pub(crate) mod database;
pub(crate) mod migrations;
pub(crate) mod connection;
pub(crate) mod writes;
pub(crate) mod trouble;
