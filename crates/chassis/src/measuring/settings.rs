//! The settings that a service gets where it is measured, or tested, part by part.

use crate::run::config::{Config, Env};

/// The settings of a service that has Kafka there, or nowhere, and is left to itself otherwise.
pub(crate) fn config(brokers: &str) -> Config {
    let brokers = brokers.to_owned();
    let setting = move |name: &str| (name == "FLOTILLA_KAFKA_BROKERS").then(|| brokers.clone());
    Config::read(&mut Env::from_fn(setting))
}
