//! A service part by part, for benchmarks: by itself, with its database alone, and Kafka without it. Apart
//! from `testing`, as what is measured must be the program that runs: nothing here changes one.

mod row;
pub(crate) mod wire;

use crate::config::{Config, Env};
pub use crate::consumer::reader::Reader;
pub use crate::executor::detached::Detached;
pub use crate::executor::offline::{Batch, Offline, Written};
pub use crate::relay::flushes::Flushes;
pub use crate::rows::rows_of;
pub use crate::statistics::Told;
pub use row::Row;
pub use wire::{Record, Wire, publish, records, unpacked};

/// The settings of a service that has Kafka there, or nowhere, and is left to itself otherwise.
pub(crate) fn config(brokers: &str) -> Config {
    let brokers = brokers.to_owned();
    let setting = move |name: &str| (name == "FLOTILLA_KAFKA_BROKERS").then(|| brokers.clone());
    Config::read(&mut Env::from_fn(setting))
}
