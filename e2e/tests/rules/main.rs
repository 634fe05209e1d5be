//! The rules of the saga, on the shipped decision functions, without servers.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod cluster;
mod configuration;
mod contract;
mod documents;
mod exploration;
mod files;
mod markdown;
mod metrics;
mod migrations;
mod roster;
mod shipped;
mod simulation;
mod transitions;
