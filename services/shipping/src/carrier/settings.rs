//! Which carrier, and how to reach it. Everything that is missing or contradictory is recorded with
//! the environment, which reports it all at once before anything starts.

use std::time::Duration;

use chassis::Env;
use reqwest::Url;

use super::{Http, InProcess};

const TIMEOUT_MS: u64 = 5_000;
/// Below the time after which an open call is made again anyway.
const TIMEOUT_MS_MAX: u64 = 25_000;

/// The adapter that was chosen.
#[derive(Debug)]
pub enum Configured {
    Http(Http),
    InProcess(InProcess),
}

/// Reads the settings. After a problem the answer is of no use, and nobody gets to use it.
pub fn from_env(env: &mut Env) -> Configured {
    let place = env.required(
        "CARRIER",
        "the carrier: its http(s) URL, or in-process for one with test destinations and no parcels",
    );
    let key = env.optional("CARRIER_KEY", "secret key of the carrier's API");
    let key_file =
        env.optional("CARRIER_KEY_FILE", "a file that holds it, in place of the variable");
    let timeout_ms = env.parsed(
        "CARRIER_TIMEOUT_MS",
        TIMEOUT_MS,
        "how long a call to the carrier may take, in milliseconds",
    );
    if !(1..=TIMEOUT_MS_MAX).contains(&timeout_ms) {
        env.problem(format!(
            "FLOTILLA_CARRIER_TIMEOUT_MS is {timeout_ms}, but must be from 1 to {TIMEOUT_MS_MAX}"
        ));
    }
    if place.is_empty() {
        return Configured::InProcess(InProcess::default());
    }
    if place == "in-process" {
        if key.is_some() || key_file.is_some() {
            env.problem(
                "FLOTILLA_CARRIER is in-process, which moves no goods, but a key of a real \
                 carrier is set: choose one",
            );
        }
        return Configured::InProcess(InProcess::default());
    }
    let url = url(env, &place);
    let key = secret(env, key, key_file);
    let (Some(url), Some(key)) = (url, key) else {
        return Configured::InProcess(InProcess::default());
    };
    match Http::new(url, &key, Duration::from_millis(timeout_ms)) {
        Ok(http) => Configured::Http(http),
        Err(error) => {
            env.problem(format!("the carrier's client cannot be made: {error}"));
            Configured::InProcess(InProcess::default())
        }
    }
}

/// The value is not repeated in problems: somebody may have put a password into it.
fn url(env: &mut Env, place: &str) -> Option<Url> {
    let Some(url) = Url::parse(place).ok().filter(|url| matches!(url.scheme(), "http" | "https"))
    else {
        env.problem("FLOTILLA_CARRIER must be an http:// or https:// URL, or in-process");
        return None;
    };
    if !url.username().is_empty() || url.password().is_some() {
        env.problem(
            "FLOTILLA_CARRIER must not hold credentials: set FLOTILLA_CARRIER_KEY or \
             FLOTILLA_CARRIER_KEY_FILE",
        );
        return None;
    }
    if url.query().is_some() || url.fragment().is_some() {
        env.problem("FLOTILLA_CARRIER must be a base URL, without a query or a fragment");
        return None;
    }
    Some(url)
}

fn secret(env: &mut Env, key: Option<String>, key_file: Option<String>) -> Option<String> {
    let key = match (key, key_file) {
        (Some(_), Some(_)) => {
            env.problem(
                "FLOTILLA_CARRIER_KEY and FLOTILLA_CARRIER_KEY_FILE are both set: choose one",
            );
            return None;
        }
        (Some(key), None) => key,
        (None, Some(path)) => match std::fs::read_to_string(&path) {
            Ok(key) => key,
            Err(error) => {
                env.problem(format!(
                    "FLOTILLA_CARRIER_KEY_FILE names {path}, which cannot be read: {error}"
                ));
                return None;
            }
        },
        (None, None) => {
            env.problem(
                "FLOTILLA_CARRIER is a URL, so FLOTILLA_CARRIER_KEY_FILE or FLOTILLA_CARRIER_KEY \
                 is needed: the secret key of the carrier's API",
            );
            return None;
        }
    };
    let key = key.trim();
    if key.is_empty() {
        env.problem("the carrier's key is empty");
        return None;
    }
    Some(key.to_owned())
}
