//! The checks of the published language, in one binary: schemas, generated types and topics agree.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod codegen;
mod generated;
mod language;
mod round_trip;
mod samples;
mod schemas;
mod values;
