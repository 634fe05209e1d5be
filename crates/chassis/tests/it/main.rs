//! The chassis against real servers: the example service runs as processes, and is killed, poisoned,
//! doubled and stopped.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod world;

mod dead_letters;
mod describe;
mod effects_once;
mod groups;
mod life;
mod partitions;
mod registry;
mod outbox;
mod relay;
mod replicas;
mod set_back;
mod tail;
mod telemetry;
mod trouble;
