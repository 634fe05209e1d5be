//! The load benchmark: a generator of orders that costs little beside the fleet it drives, and what is
//! measured meanwhile. A library, so that its parts are tested and other benchmarks can use them.
//!
//! Reading order: `scenario` and `plan` (what is asked for), `rig` (the fleet that a scenario wants, with
//! its `replicas` and its `collector`), `run` (one measurement from start to report), `generator` and `gate` (placing orders), `watch` and `ends` (seeing them end), `sample`
//! and what it reads (`process`, `metrics`, `postgres`), `report`, `compare`.

pub mod scenario;
pub mod plan;
pub mod rig;
pub mod replicas;
pub mod collector;
pub mod fleet;
pub mod run;
pub mod generator;
pub mod gate;
pub mod request;
pub mod http;
pub mod watch;
pub mod ends;
pub mod latency;
pub mod sample;
pub mod process;
pub mod metrics;
pub mod postgres;
pub mod stock;
pub mod progress;
pub mod report;
pub mod compare;
