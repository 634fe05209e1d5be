//! The checks of the published language, in one binary: schemas, generated types and topics agree.

#![allow(clippy::disallowed_methods, reason = "tests take the time from wherever they like")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod codegen;
mod evolution;
mod generated;
mod language;
mod round_trip;
mod schemas;
mod values;
