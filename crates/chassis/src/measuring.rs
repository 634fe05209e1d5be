//! A service part by part, for benchmarks: by itself, with its database alone, and Kafka without it. Apart
//! from `testing`, as what is measured must be the program that runs: nothing here changes one.

pub(crate) mod row;
pub(crate) mod settings;
pub(crate) mod wire;

pub use crate::consume::consumer::reader::Reader;
pub use crate::consume::statistics::Told;
pub use crate::executor::detached::Detached;
pub use crate::executor::offline::{Batch, Offline, Written};
pub use crate::publish::relay::flushes::Flushes;
pub use crate::rows::rows_of;
pub use row::Row;
pub use wire::{Record, Wire, publish, records, unpacked};
