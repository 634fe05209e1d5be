//! Which provider, and how to reach it. Everything that is missing or contradictory is recorded with
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
        "PROVIDER",
        "the payment provider: its http(s) URL, or in-process for one with test cards and no money",
    );
    let key = env.optional("PROVIDER_KEY", "secret key of the payment provider's API");
    let key_file =
        env.optional("PROVIDER_KEY_FILE", "a file that holds it, in place of the variable");
    let timeout_ms = env.parsed(
        "PROVIDER_TIMEOUT_MS",
        TIMEOUT_MS,
        "how long a call to the payment provider may take, in milliseconds",
    );
    if !(1..=TIMEOUT_MS_MAX).contains(&timeout_ms) {
        env.problem(format!(
            "FLOTILLA_PROVIDER_TIMEOUT_MS is {timeout_ms}, but must be from 1 to {TIMEOUT_MS_MAX}"
        ));
    }
    if place.is_empty() {
        return Configured::InProcess(InProcess::default());
    }
    if place == "in-process" {
        if key.is_some() || key_file.is_some() {
            env.problem(
                "FLOTILLA_PROVIDER is in-process, which takes no money, but a key of a real \
                 provider is set: choose one",
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
            env.problem(format!("the payment provider's client cannot be made: {error}"));
            Configured::InProcess(InProcess::default())
        }
    }
}

/// The value is not repeated in problems: somebody may have put a password into it.
fn url(env: &mut Env, place: &str) -> Option<Url> {
    let Some(url) = Url::parse(place).ok().filter(|url| matches!(url.scheme(), "http" | "https"))
    else {
        env.problem("FLOTILLA_PROVIDER must be an http:// or https:// URL, or in-process");
        return None;
    };
    if !url.username().is_empty() || url.password().is_some() {
        env.problem(
            "FLOTILLA_PROVIDER must not hold credentials: set FLOTILLA_PROVIDER_KEY or \
             FLOTILLA_PROVIDER_KEY_FILE",
        );
        return None;
    }
    if url.query().is_some() || url.fragment().is_some() {
        env.problem("FLOTILLA_PROVIDER must be a base URL, without a query or a fragment");
        return None;
    }
    Some(url)
}

fn secret(env: &mut Env, key: Option<String>, key_file: Option<String>) -> Option<String> {
    let key = match (key, key_file) {
        (Some(_), Some(_)) => {
            env.problem(
                "FLOTILLA_PROVIDER_KEY and FLOTILLA_PROVIDER_KEY_FILE are both set: choose one",
            );
            return None;
        }
        (Some(key), None) => key,
        (None, Some(path)) => match std::fs::read_to_string(&path) {
            Ok(key) => key,
            Err(error) => {
                env.problem(format!(
                    "FLOTILLA_PROVIDER_KEY_FILE names {path}, which cannot be read: {error}"
                ));
                return None;
            }
        },
        (None, None) => {
            env.problem(
                "FLOTILLA_PROVIDER is a URL, so FLOTILLA_PROVIDER_KEY_FILE or FLOTILLA_PROVIDER_KEY \
                 is needed: the secret key of the provider's API",
            );
            return None;
        }
    };
    let key = key.trim();
    if key.is_empty() {
        env.problem("the payment provider's key is empty");
        return None;
    }
    Some(key.to_owned())
}
