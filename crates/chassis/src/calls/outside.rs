//! How a service is told whom to call outside: an API with its key, or an in-process adapter. One
//! reader for all, so that every such setting is refused for the same reasons.

pub mod api;

use std::time::Duration;

use reqwest::Url;

use super::Adapter;
use crate::run::env::{Env, PREFIX};
use crate::service::{Calls, Outside};

/// How long a call may take unless the setting says otherwise.
const TIMEOUT_MS: u64 = 5_000;
/// Below the time after which an open call is made again anyway.
const TIMEOUT_MS_MAX: u64 = 25_000;

/// Whom to call.
#[derive(Debug)]
enum Target {
    /// The service's own adapter.
    InProcess,
    /// An API over HTTP.
    Api(Api),
}

/// An API outside.
pub struct Api {
    /// Its root, without credentials.
    pub url: Url,
    /// The secret key that is sent with every call.
    pub key: String,
    /// How long a call may take.
    pub timeout: Duration,
}

impl std::fmt::Debug for Api {
    /// The key stays out of logs.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Api").field("url", &self.url.as_str()).finish_non_exhaustive()
    }
}

/// Reads `NAME` (an http(s) URL, or `in-process`), `NAME_KEY` or `NAME_KEY_FILE`, and `NAME_TIMEOUT_MS`.
/// `what` says in a few words what is called; `in_process` says whether the service was built with an adapter
/// of its own. Returns nothing after a problem that leaves nobody to call.
fn target_from_env(env: &mut Env, name: &str, what: &str, in_process: bool) -> Option<Target> {
    let target = env.required(name, &format!("{what}: its http(s) URL"));
    let key = env.secret(&format!("{name}_KEY"), &format!("secret key of {what}'s API"), false);
    let key_file = env.optional(
        &format!("{name}_KEY_FILE"),
        "a file that holds the key, in place of the variable",
    );
    let timeout_ms = env.parsed(
        &format!("{name}_TIMEOUT_MS"),
        TIMEOUT_MS,
        &format!("how long a call to {what} may take, in milliseconds"),
    );
    if !(1..=TIMEOUT_MS_MAX).contains(&timeout_ms) {
        env.problem(format!(
            "{PREFIX}{name}_TIMEOUT_MS is {timeout_ms}, but must be from 1 to {TIMEOUT_MS_MAX}"
        ));
    }
    if target.is_empty() {
        return None;
    }
    if target == "in-process" {
        if !in_process {
            env.problem(format!(
                "{PREFIX}{name} is in-process, but this program was built without the adapter for \
                 tests: set the http(s) URL of {what}, and its key"
            ));
            return None;
        }
        if key.is_some() || key_file.is_some() {
            env.problem(format!(
                "{PREFIX}{name} is in-process, but a key for {what} is set: choose one"
            ));
        }
        return Some(Target::InProcess);
    }
    let (url, key) = (url(env, name, &target), secret(env, name, what, key, key_file));
    Some(Target::Api(Api { url: url?, key: key?, timeout: Duration::from_millis(timeout_ms) }))
}

/// The value is not repeated in problems: somebody may have put a password into it.
fn url(env: &mut Env, name: &str, target: &str) -> Option<Url> {
    let Some(url) = Url::parse(target).ok().filter(|url| matches!(url.scheme(), "http" | "https"))
    else {
        env.problem(format!("{PREFIX}{name} must be an http:// or https:// URL"));
        return None;
    };
    if !url.username().is_empty() || url.password().is_some() {
        env.problem(format!(
            "{PREFIX}{name} must not hold credentials: set {PREFIX}{name}_KEY or {PREFIX}{name}_KEY_FILE"
        ));
        return None;
    }
    if url.query().is_some() || url.fragment().is_some() {
        env.problem(format!("{PREFIX}{name} must be a base URL, without a query or a fragment"));
        return None;
    }
    Some(url)
}

fn secret(
    env: &mut Env,
    name: &str,
    what: &str,
    key: Option<String>,
    key_file: Option<String>,
) -> Option<String> {
    let (variable, file) = (format!("{PREFIX}{name}_KEY"), format!("{PREFIX}{name}_KEY_FILE"));
    let key = match (key, key_file) {
        (Some(_), Some(_)) => {
            env.problem(format!("{variable} and {file} are both set: choose one"));
            return None;
        }
        (Some(key), None) => key,
        (None, Some(path)) => match std::fs::read_to_string(&path) {
            Ok(key) => key,
            Err(error) => {
                env.problem(format!("{file} names {path}, which cannot be read: {error}"));
                return None;
            }
        },
        (None, None) => {
            env.problem(format!(
                "{PREFIX}{name} is a URL, so {file} or {variable} is needed: the secret key of \
                 {what}'s API"
            ));
            return None;
        }
    };
    let key = key.trim();
    if key.is_empty() {
        env.problem(format!("{variable} or {file} is empty: {what}'s key"));
        return None;
    }
    Some(key.to_owned())
}

impl<S: Calls> Adapter<S> {
    /// The adapter that the settings choose: over HTTP, or the in-process one if the service was built with one.
    /// The settings are `NAME`, `NAME_KEY` or `NAME_KEY_FILE`, and `NAME_TIMEOUT_MS`; `what` says in a few words
    /// who is called. Returns nothing after a problem.
    pub fn from_env<O: Outside<S>>(
        env: &mut Env,
        name: &str,
        what: &str,
        in_process: Option<Self>,
        http: impl FnOnce(Api) -> Result<O, api::Unusable>,
    ) -> Option<Self> {
        env.calls(O::NAME, name);
        match target_from_env(env, name, what, in_process.is_some())? {
            Target::InProcess => in_process,
            Target::Api(api) => match http(api) {
                Ok(adapter) => Some(Adapter::of(adapter)),
                Err(error) => {
                    env.problem(format!("{what}'s client cannot be made: {error}"));
                    None
                }
            },
        }
    }
}

/// Text from outside in a form that can be stored, shown and logged: without control characters, which Postgres or
/// a terminal may not take, and cut to this many characters.
pub fn plain(text: &str, characters_max: usize) -> String {
    text.chars().filter(|character| !character.is_control()).take(characters_max).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_without_an_adapter_refuses_to_be_told_to_use_it() {
        let told = |in_process| {
            let value = |name: &str| (name == "FLOTILLA_CARRIER").then(|| "in-process".to_owned());
            let mut env = Env::from_fn(value);
            let target = target_from_env(&mut env, "CARRIER", "the carrier", in_process);
            (target, env.problems().join("\n"))
        };
        let (target, problems) = told(false);
        assert!(target.is_none());
        assert!(problems.contains("set the http(s) URL of the carrier"), "{problems}");
        let (target, problems) = told(true);
        assert!(matches!(target, Some(Target::InProcess)));
        assert_eq!(problems, "");
    }

    #[test]
    fn text_from_outside_is_cut_and_freed_of_what_nobody_can_store() {
        assert_eq!(plain("PARCEL-1 für Ä", 255), "PARCEL-1 für Ä");
        assert_eq!(plain("a\0b\u{1b}[31mc\n", 255), "ab[31mc");
        assert_eq!(plain(&"ä".repeat(200_000), 3), "äää");
        assert_eq!(plain("\0", 3), "");
    }
}
