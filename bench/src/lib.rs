//! The load benchmark: a generator of orders that costs little compared with the fleet it drives, and what
//! is measured meanwhile. A library, so that its parts are tested; a crate of its own, as nothing else
//! needs its dependencies.
//!
//! Reading order: `scenario` and `plan` (what is asked for), `rig` (the fleet that a scenario wants, with
//! its `replicas` and its `collector`), `stock` and `preload` (what is in the tables beforehand), `run`
//! (one measurement from start to report), `drain` (one in which Kafka goes away) and `change` (one in which
//! processes come and go), `generator`, `gate` and `targets` (placing orders), `watch` and `ends` (seeing
//! them end), `sample` and what it reads (`process`, `metrics`, `postgres`), `report`, `chart`, `compare`;
//! and `floor` (each part alone, without a fleet).

#![allow(clippy::disallowed_methods, reason = "a load names orders by this machine's time")]

pub mod scenario;
pub mod plan;
pub mod rig;
pub mod replicas;
pub mod collector;
pub mod fleet;
pub mod run;
pub mod drain;
pub mod change;
pub mod generator;
pub mod gate;
pub mod request;
pub mod targets;
pub mod http;
pub mod watch;
pub mod ends;
pub mod latency;
pub mod series;
pub mod backlog;
pub mod sample;
pub mod process;
pub mod metrics;
pub mod postgres;
pub mod stock;
pub mod preload;
pub mod progress;
pub mod report;
pub mod chart;
pub mod compare;
pub mod floor;
