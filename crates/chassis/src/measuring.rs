//! A service part by part, for benchmarks: by itself, with its database alone, and Kafka without it. Separate
//! from `testing`, as what is measured must be the program that runs: nothing here changes it.

mod offline;
pub(crate) mod detached;
mod hearing;
mod clearing;
mod flushes;
mod reader;
mod row;
pub(crate) mod settings;
pub(crate) mod wire;

pub use crate::consume::statistics::RequestCounts;
pub use crate::rows::rows_of;
pub use detached::Detached;
pub use flushes::Flushes;
pub use offline::{Batch, Offline, Written};
pub use reader::Reader;
pub use row::Row;
pub use wire::{Record, Wire, publish, records, unpacked};
