//! What the chassis asks of Postgres, whatever for: a pool with deadlines and migrations, the one statement that
//! writes a batch, and how to tell trouble that passes from trouble that does not.

pub(crate) mod database;
pub(crate) mod connection;
pub(crate) mod writes;
pub(crate) mod trouble;
