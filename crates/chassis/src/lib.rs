//! The chassis: all the plumbing under a service of the fleet. It names no business event.
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
mod words;
mod effects;
mod failure;
mod backoff;
mod rows;
mod executor;
mod postgres;
mod publish;
mod consume;
mod wire;
mod calls;
mod http;
mod run;
mod ops;
mod verify;
#[cfg(feature = "measuring")]
pub mod measuring;
#[cfg(feature = "model")]
pub mod model;
#[cfg(feature = "testing")]
pub mod testing;

pub use app::App;
pub use calls::Adapter;
pub use calls::operate::Settles;
pub use calls::outside::{Api, api, plain};
pub use calls::settle::Settlement;
pub use consume::dead_letters::topic_of as dead_letter_topic;
pub use effects::Effects;
pub use executor::handle::Handle;
pub use executor::queue::CommandError;
pub use failure::{Conflict, Failure};
pub use http::described::{AnyProblem, BodyProblem};
pub use http::extract::{IDEMPOTENCY_KEY, IdempotencyKey, Json, Limit, Page, Path, Query};
pub use http::problem::Problem;
pub use http::watch::follow::LastEventId;
pub use http::watch::wait::WaitQuery;
pub use http::watch::{Hub, TooManyWatchers, Watched};
pub use http::{MAX_BODY_BYTES, openapi};
pub use ops::admin::document as admin_openapi;
pub use ops::telemetry::{Kind, Metric};
pub use postgres::writes::{Columns, Writes};
pub use rows::presumed::Presumed;
pub use rows::remembered::Remembered;
pub use rows::show::{OpenCall, Resource, Shows, document};
pub use rows::{
    Addressed, Column, Decision, Key, KeyOf, Keyed, KeyedService, Reply, Rows, Shown, Stored,
    Table, Touched, find_row,
};
pub use run::config::EXIT_CONFIG;
pub use run::describe::{
    Description, HeardTopic, OfEveryService, PublishedTopic, describe, of_every_service,
};
pub use run::env::{Env, Neighbour, PREFIX, Setting};
pub use run::hosted::{Hosted, hosted};
pub use run::{host, main};
pub use service::{
    Calls, Deduplication, Hears, NoCall, NoEvent, Outside, Reading, Service, Unanswered,
};
/// The allocator for the program of a service. It costs an eighth less CPU than the system's at full load,
/// and as much memory; how it is set up is in `.cargo/config.toml`.
pub use tikv_jemallocator::Jemalloc as Allocator;
pub use verify::{Step, Verified};
#[cfg(feature = "archive")]
pub use wire::archive;
pub use wire::limits::MAX_VALUE_BYTES;
pub use wire::registry::{COMPATIBILITY, Registry, RegistryError, Version, subject};
pub use wire::trace::TraceContext;
#[cfg(feature = "outside")]
pub use wire::{groups, json, outside, replay};
pub use wire::{tail, topics};
