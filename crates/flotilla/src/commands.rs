//! The commands, and how they find the fleet: by the same settings as `flotilla local`, or by addresses
//! in the environment.

pub(crate) mod http;
pub(crate) mod local;
pub(crate) mod demo;
pub(crate) mod topics;
pub(crate) mod schema;
pub(crate) mod order;
pub(crate) mod calls;
pub(crate) mod payment;
pub(crate) mod shipment;
pub(crate) mod stock;
pub(crate) mod events;
pub(crate) mod dlq;
pub(crate) mod offsets;
pub(crate) mod ready;
pub(crate) mod audit;
pub(crate) mod verify;
pub(crate) mod new;

use std::ffi::OsString;

use ::language::TopicInfo;
use ::local::process::surroundings;
use ::local::settings::{root_from_env, services_with, with_from_env};
use ::local::{Lifetime, Settings, known_service};
use anyhow::{Context, Result, anyhow};
use chassis::RegistryError;
use chrono::{DateTime, Utc};
use flotilla::fleet::{Fleet, FleetSettings, programs};
use serde_json::Value;

use crate::output::visible;

pub(crate) use http::{Call, Http};

/// How instants are written: RFC 3339 in UTC, to the millisecond.
pub(crate) const TIME: &str = "%Y-%m-%dT%H:%M:%S%.3fZ";

/// What to do when a part of the fleet does not answer.
pub(crate) const IS_IT_UP: &str =
    "is the fleet up? `flotilla local status` tells, `flotilla local up` starts it";

/// The fleet of these settings, running or not; nothing is created if none was ever started.
pub(crate) fn fleet() -> Result<Fleet> {
    let settings = Settings::of_fleet()?.with_context(|| {
        format!(
            "there is no fleet in {}; `flotilla local up` starts one there, FLOTILLA_STATE names the \
             folder of another",
            root_from_env().display()
        )
    })?;
    Ok(Fleet::attach(FleetSettings::new(settings, Lifetime::UntilStopped)?))
}

/// The services of the fleet: those of the local one or, if its addresses are in the environment, those that every
/// fleet has and those that `FLOTILLA_WITH` names.
pub(crate) fn services() -> Result<Vec<&'static str>> {
    Ok(match Settings::of_fleet()? {
        Some(settings) => settings.services(),
        None => services_with(&with_from_env()?.unwrap_or_default()),
    })
}

/// The published language of the fleet's services.
pub(crate) fn language() -> Result<Vec<TopicInfo>> {
    flotilla::fleet::language(&services()?, &programs()?)
}

/// The services that somebody asks about: one, or all.
pub(crate) fn services_asked(asked: Option<&str>) -> Result<Vec<&'static str>> {
    asked.map_or_else(services, |service| Ok(vec![known_service(service)?]))
}

/// The public address of a service: `FLOTILLA_ORDER_URL` and so on, otherwise the local fleet's.
pub(crate) fn url(service: &str) -> Result<String> {
    let variable = format!("FLOTILLA_{}_URL", service.to_uppercase());
    address(&variable, service, |fleet| fleet.url(service))
}

/// The admin address of a service.
pub(crate) fn admin_url(service: &str) -> Result<String> {
    let service = known_service(service)?;
    let variable = format!("FLOTILLA_{}_ADMIN_URL", service.to_uppercase());
    address(&variable, service, |fleet| fleet.admin_url(service))
}

/// Where Kafka is. Of the local fleet's brokers one that runs is enough: it knows the others.
pub(crate) fn brokers() -> Result<String> {
    let of_fleet = |fleet: &Fleet| fleet.environment().kafka_brokers();
    address_at("FLOTILLA_KAFKA_BROKERS", |fleet| fleet.environment().brokers(), of_fleet)
}

/// Where the registry is.
pub(crate) fn registry() -> Result<chassis::Registry> {
    Ok(chassis::Registry::new(&registry_url()?))
}

/// Its URL.
pub(crate) fn registry_url() -> Result<String> {
    address("FLOTILLA_REGISTRY_URL", "registry", |fleet| fleet.environment().registry_url())
}

/// What the variable says, otherwise where this process of the local fleet is.
fn address(variable: &str, process: &str, of: impl FnOnce(&Fleet) -> String) -> Result<String> {
    address_at(variable, |_fleet| vec![process], of)
}

/// The same where any of several processes will do.
fn address_at<'a>(
    variable: &str,
    processes: impl FnOnce(&Fleet) -> Vec<&'a str>,
    of: impl FnOnce(&Fleet) -> String,
) -> Result<String> {
    match variable_of(variable)? {
        Some(address) => Ok(address.trim_end_matches('/').to_owned()),
        None => {
            let fleet = fleet()?;
            // Where none runs, the first is named.
            let checks = processes(&fleet).into_iter().rev().map(|name| fleet.check_runs(name));
            checks.reduce(Result::or).unwrap_or(Ok(()))?;
            Ok(of(&fleet))
        }
    }
}

fn variable_of(name: &str) -> Result<Option<String>> {
    let text = |value: OsString| value.into_string().map_err(|_| anyhow!("{name} is not UTF-8"));
    surroundings::variable(name).map(text).transpose()
}

/// The registry's refusal, with the next step if it is the registry that is away.
pub(crate) fn registry_error(error: RegistryError) -> anyhow::Error {
    match error {
        RegistryError::Away { .. } => anyhow::anyhow!("{error}; {IS_IT_UP}"),
        RegistryError::Unexpected { .. } | RegistryError::Client(_) => error.into(),
    }
}

/// Pairs such as `SKU=3`.
pub(crate) fn pair(text: &str) -> Result<(String, i64), String> {
    let (name, number) = text.split_once('=').ok_or("write it as NAME=NUMBER")?;
    Ok((name.to_owned(), number.parse().map_err(|_| format!("{number} is no number"))?))
}

/// Text of a JSON value, without quotes, safe to show.
pub(crate) fn text(value: &Value) -> String {
    visible(&value.as_str().map_or_else(|| value.to_string(), str::to_owned), &[])
}

/// An instant, with its zone: the reader may be in another one.
pub(crate) fn time(value: &Value) -> String {
    let time = value.as_str().and_then(|time| time.parse::<DateTime<Utc>>().ok());
    time.map_or_else(|| text(value), |time| time.format(TIME).to_string())
}

/// Money for people.
pub(crate) fn money(order: &Value) -> String {
    let minor = order["total_minor"].as_i64().unwrap_or_default();
    let currency: Result<::events::Currency, _> = text(&order["currency"]).parse();
    currency.map_or_else(
        |_| minor.to_string(),
        |currency| ::events::Money::new(minor, currency).to_string(),
    )
}
