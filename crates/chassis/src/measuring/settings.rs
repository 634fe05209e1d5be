//! The settings of a service that is measured, or tested, part by part.

use crate::run::config::Config;
use crate::run::env::Env;

/// The settings of a service with Kafka there, or nowhere, and defaults otherwise.
pub(crate) fn config(brokers: &str) -> Config {
    let brokers = brokers.to_owned();
    let setting = move |name: &str| (name == "FLOTILLA_KAFKA_BROKERS").then(|| brokers.clone());
    Config::read(&mut Env::from_fn(setting))
}
