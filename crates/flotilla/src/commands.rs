//! The commands, and how they find the fleet: by addresses in the environment, by the context that was chosen, or by
//! the same settings as `flotilla local`.

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
pub(crate) mod consumers;
pub(crate) mod context;
pub(crate) mod man;
pub(crate) mod ready;
pub(crate) mod audit;
pub(crate) mod verify;
pub(crate) mod new;
pub(crate) mod contract;

use std::ffi::OsString;
use std::fmt::Display;

use ::language::TopicInfo;
use ::local::process::surroundings;
use ::local::settings::{root_from_env, services_with, with_from_env};
use ::local::{Lifetime, Settings};
use anyhow::{Result, anyhow};
use chassis::RegistryError;
use chrono::{DateTime, Utc};
use flotilla::fleet::{Fleet, FleetSettings, programs};
use serde_json::Value;

use crate::context::{Chosen, Context as Elsewhere, chosen};
use crate::exit::{Exit, coded};
use crate::output::visible;

pub(crate) use http::{Call, Http};

/// How instants are written: RFC 3339 in UTC, to the millisecond.
pub(crate) const TIME: &str = "%Y-%m-%dT%H:%M:%S%.3fZ";

/// What to do when a part of the fleet does not answer.
pub(crate) const IS_IT_UP: &str =
    "is the fleet up? `flotilla local status` tells, `flotilla local up` starts it";

/// The fleet of these settings, running or not; nothing is created if none was ever started.
pub(crate) fn fleet() -> Result<Fleet> {
    let settings = Settings::of_fleet()?.ok_or_else(|| {
        let none = anyhow!(
            "there is no fleet in {}; `flotilla local up` starts one there, FLOTILLA_STATE names the \
             folder of another",
            root_from_env().display()
        );
        coded(Exit::Missing, none)
    })?;
    Ok(Fleet::attach(FleetSettings::new(settings, Lifetime::UntilStopped)?))
}

/// The services of the fleet: those of the context that was chosen, otherwise those of the local one or, if its
/// addresses are in the environment, those that every fleet has and those that `FLOTILLA_WITH` names.
pub(crate) fn services() -> Result<Vec<&'static str>> {
    if let Some(Chosen { context, .. }) = chosen()? {
        return Ok(services_with(&with_from_env()?.unwrap_or(all_on_request(&context)?)));
    }
    Ok(match Settings::of_fleet()? {
        Some(settings) => settings.services(),
        None => services_with(&with_from_env()?.unwrap_or_default()),
    })
}

fn all_on_request(context: &Elsewhere) -> Result<Vec<&'static str>> {
    ::local::settings::all_on_request(context.with.iter().map(String::as_str))
}

/// The service of that name.
pub(crate) fn known_service(name: &str) -> Result<&'static str> {
    ::local::known_service(name).map_err(|error| coded(Exit::Missing, error))
}

/// The published language of the fleet's services.
pub(crate) fn language() -> Result<Vec<TopicInfo>> {
    flotilla::fleet::language(&services()?, &programs()?)
}

/// The services that somebody asks about: one, or all.
pub(crate) fn services_asked(asked: Option<&str>) -> Result<Vec<&'static str>> {
    asked.map_or_else(services, |service| Ok(vec![known_service(service)?]))
}

/// The public address of a service: `FLOTILLA_ORDER_URL` and so on, otherwise the context's, otherwise the local
/// fleet's.
pub(crate) fn url(service: &str) -> Result<String> {
    let of_context = |context: &Elsewhere| context.urls.get(service).cloned();
    let place =
        Place { variable: url_variable(service), option: format!("--url {service}=ADDRESS") };
    address(&place, of_context, |_| vec![service], |fleet| fleet.url(service))
}

/// The admin address of a service.
pub(crate) fn admin_url(service: &str) -> Result<String> {
    let service = known_service(service)?;
    let of_context = |context: &Elsewhere| context.admin_urls.get(service).cloned();
    let option = format!("--admin-url {service}=ADDRESS");
    let place = Place { variable: admin_url_variable(service), option };
    address(&place, of_context, |_| vec![service], |fleet| fleet.admin_url(service))
}

/// Where Kafka is. Of the local fleet's brokers one that runs is enough: it knows the others.
pub(crate) fn brokers() -> Result<String> {
    let of_fleet = |fleet: &Fleet| fleet.environment().kafka_brokers();
    let place = Place { variable: BROKERS.to_owned(), option: "--brokers HOST:PORT".to_owned() };
    let of_context = |context: &Elsewhere| context.kafka_brokers.clone();
    address(&place, of_context, |fleet| fleet.environment().brokers(), of_fleet)
}

/// Where the registry is.
pub(crate) fn registry() -> Result<chassis::Registry> {
    Ok(chassis::Registry::new(&registry_url()?))
}

/// Its URL.
pub(crate) fn registry_url() -> Result<String> {
    let place = Place { variable: REGISTRY.to_owned(), option: "--registry-url URL".to_owned() };
    let of_context = |context: &Elsewhere| context.registry_url.clone();
    let of_fleet = |fleet: &Fleet| fleet.environment().registry_url();
    address(&place, of_context, |_| vec!["registry"], of_fleet)
}

/// The variables that say where something is.
pub(crate) const BROKERS: &str = "FLOTILLA_KAFKA_BROKERS";
pub(crate) const REGISTRY: &str = "FLOTILLA_REGISTRY_URL";

pub(crate) fn url_variable(service: &str) -> String {
    format!("FLOTILLA_{}_URL", service.to_uppercase())
}

pub(crate) fn admin_url_variable(service: &str) -> String {
    format!("FLOTILLA_{}_ADMIN_URL", service.to_uppercase())
}

/// How an address can be given.
struct Place {
    variable: String,
    /// Of `flotilla context set`.
    option: String,
}

/// What the variable says, otherwise what the context does, otherwise where any of these processes of the local fleet
/// is.
fn address<'a>(
    place: &Place,
    of_context: impl FnOnce(&Elsewhere) -> Option<String>,
    processes: impl FnOnce(&Fleet) -> Vec<&'a str>,
    of: impl FnOnce(&Fleet) -> String,
) -> Result<String> {
    if let Some(address) = variable_of(&place.variable)? {
        return Ok(address.trim_end_matches('/').to_owned());
    }
    if let Some(Chosen { name, context, .. }) = chosen()? {
        let Place { variable, option } = place;
        let found = of_context(&context).map(|address| address.trim_end_matches('/').to_owned());
        return found.ok_or_else(|| {
            let unset = anyhow!(
                "context {name} does not say where that is: `flotilla context set {name} {option}`"
            );
            coded(Exit::Missing, unset.context(format!("{variable} is not set")))
        });
    }
    let fleet = fleet()?;
    // Where none runs, the first is named.
    let checks = processes(&fleet).into_iter().rev().map(|name| fleet.check_runs(name));
    let is_there = checks.reduce(Result::or).unwrap_or(Ok(()));
    is_there.map_err(|error| coded(Exit::Away, error))?;
    Ok(of(&fleet))
}

/// The text of a variable that is set.
pub(crate) fn variable_of(name: &str) -> Result<Option<String>> {
    let text = |value: OsString| value.into_string().map_err(|_| anyhow!("{name} is not UTF-8"));
    surroundings::variable(name).map(text).transpose()
}

/// The registry's refusal, with the next step if it is the registry that is away.
pub(crate) fn registry_error(error: RegistryError) -> anyhow::Error {
    match error {
        RegistryError::Away { .. } => coded(Exit::Away, anyhow!("{error}; {IS_IT_UP}")),
        RegistryError::Unexpected { .. } => coded(Exit::Away, error),
        RegistryError::Client(_) => coded(Exit::Refused, error),
    }
}

/// Kafka's refusal, with the next step.
pub(crate) fn kafka_error(brokers: &str, error: impl Display) -> anyhow::Error {
    coded(Exit::Away, anyhow!("Kafka at {brokers} does not answer: {error}; {IS_IT_UP}"))
}

/// The time of this machine, which is that of whoever asks. Nothing that is decided depends on it.
#[expect(clippy::disallowed_methods, reason = "a person's time is no row's")]
pub(crate) fn now() -> DateTime<Utc> {
    Utc::now()
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
