//! The fleet's records as programs in other languages read and write them: every example of `examples/clients`, an SDK
//! for CloudEvents and Kafka's own tools, against a running fleet. A program of its own, as its tests stop services.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod languages;
mod running;
mod records;
mod consume;
mod produce;
mod readmes;
mod others;
mod streams;
