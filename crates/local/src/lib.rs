//! A local environment without containers: real Postgres servers, a real Apache Kafka and a real schema
//! registry as processes of this machine, for people (`flotilla local`) and for tests (`testing`).
//!
//! Reading order: `settings` and `ports` (where everything is), `process` (starting, watching, stopping anything),
//! `claim` and `cache` (whose turn it is, what is downloaded), `answer` (whether a server answers), one file
//! per kind of server, `environment` (all of them together), `programs` (what they are made of), `testing`.

#![warn(missing_docs)]

mod ports;
pub mod settings;
pub mod process;
pub mod answer;
mod claim;
mod cache;
mod java;
mod postgres;
mod kafka;
mod registry;
mod environment;
mod programs;
pub mod doctor;
pub mod testing;

pub use claim::Claim;
pub use environment::{Environment, Progress, ServerStatus, silent};
pub use ports::{DEFAULT_BASE_PORT, Ports};
pub use postgres::{Database, DatabasePlace};
pub use process::surroundings::errand;
pub use process::{Lifetime, Process, ProcessSpec};
pub use programs::Programs;
pub use roster::SERVICES;
pub use settings::{Compiler, Settings, known_service};
