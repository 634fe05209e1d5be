//! The inventory service against a real Postgres.

#![allow(clippy::disallowed_methods, reason = "tests take the time from wherever they like")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod handlers;
mod rollback;
mod sharing;
mod store;
mod tables;
