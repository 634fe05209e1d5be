//! The chassis: all the plumbing that a service of the fleet stands on. It names no business event.
//!
//! What it promises, each kept by a test of that name:
//!
//! - An event, command, outcome or timer has its effect once, whatever is redelivered or crashes.
//! - Events are published in the order of their commits, at least once, never lost.
//! - What cannot be processed is set aside with its reason, and nothing else is held up by it; what must not be
//!   lost keeps its own partition waiting instead.
//! - Everything is bounded: batches, queues, payloads, retries in memory, time.
//!
//! A service declares itself with [`App`] and implements [`Service`], or [`KeyedService`] where its work is one
//! state for each key. Reading order: `service` and `rows` (what a service says), `executor` (how a batch becomes
//! a transaction), `offsets`, `outbox` and `relay` (how events leave), `consumer` (how they arrive), then the rest.

#![cfg_attr(
    test,
    allow(clippy::disallowed_methods, reason = "tests take the time from wherever they like")
)]
#![warn(missing_docs)]

mod service;
mod app;
mod effects;
mod measures;
mod clock;
mod failure;
mod trouble;
mod run;
mod progress;
mod queue;
mod executor;
mod offsets;
mod writes;
mod rows;
mod set_back;
mod remembered;
mod presumed;
mod inbox;
mod outbox;
mod relay;
mod consumer;
mod brokers;
mod statistics;
mod subscription;
mod codec;
mod limits;
mod outside;
mod intents;
mod settle;
mod calls;
mod sweep;
mod heard;
mod observe;
mod dead_letters;
mod pace;
mod crash;
mod database;
mod registry;
mod config;
mod health;
mod handle;
mod problem;
mod extract;
mod described;
mod http;
pub mod openapi;
mod docs_page;
mod admin;
mod telemetry;
mod trace;
pub mod tail;
#[cfg(feature = "measuring")]
pub mod measuring;
#[cfg(feature = "testing")]
pub mod testing;
pub mod topics;

pub use app::App;
pub use config::{EXIT_CONFIG, Env, PREFIX};
pub use dead_letters::topic_of as dead_letter_topic;
pub use described::{AnyProblem, BodyProblem};
pub use effects::Effects;
pub use extract::{IDEMPOTENCY_KEY, IdempotencyKey, Json, Limit, Page, Path, Query};
pub use failure::{Conflict, Failure};
pub use handle::{Handle, Refused};
pub use http::MAX_BODY_BYTES;
pub use intents::next_attempt_at;
pub use limits::MAX_VALUE_BYTES;
pub use outside::{Api, Place, api, place_from_env, plain};
pub use presumed::Presumed;
pub use problem::Problem;
pub use registry::{COMPATIBILITY, Registry, RegistryError, subject};
pub use remembered::Remembered;
pub use rows::{
    Addressed, Column, Decision, Key, KeyOf, Keyed, KeyedService, Reply, Rows, Settled, Shown,
    Stored, Table, Touched, find_row,
};
pub use run::main;
pub use service::{Calls, Deduplication, Hears, NoCall, Outside, Reading, Service, Unanswered};
pub use settle::{OpenCall, OpenFor, Settlement};
/// The allocator for the program of a service. It costs an eighth less CPU than the system's at full load,
/// and as much memory; how it is set up is in `.cargo/config.toml`.
pub use tikv_jemallocator::Jemalloc as Allocator;
pub use trace::TraceContext;
pub use writes::{Columns, Writes};
