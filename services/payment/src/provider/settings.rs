//! Which provider the settings choose.

use std::time::Duration;

use chassis::{Env, Place, place_from_env};

#[cfg(feature = "in-process")]
use super::InProcess;
use super::{Http, Memory};

/// The adapter that was chosen.
#[derive(Debug)]
pub enum Configured {
    Http(Http),
    #[cfg(feature = "in-process")]
    InProcess(InProcess),
}

/// Reads the settings. Returns nothing after a problem that leaves nobody to call.
pub fn from_env(env: &mut Env) -> Option<Configured> {
    let memory = memory(env);
    match place_from_env(env, "PROVIDER", "the payment provider", cfg!(feature = "in-process"))? {
        Place::Api(api) => match Http::new(api.url, &api.key, api.timeout) {
            Ok(http) => Some(Configured::Http(http.with_memory(memory))),
            Err(error) => {
                env.problem(format!("the payment provider's client cannot be made: {error}"));
                None
            }
        },
        Place::InProcess => in_process(),
    }
}

#[cfg(feature = "in-process")]
fn in_process() -> Option<Configured> {
    Some(Configured::InProcess(InProcess::default()))
}

/// Never called: without the adapter, the setting is a problem.
#[cfg(not(feature = "in-process"))]
fn in_process() -> Option<Configured> {
    None
}

/// The convention knows keys for a day: whoever reckons with more risks a second hold.
fn memory(env: &mut Env) -> Memory {
    let Memory { keys_kept, search_settles } = Memory::default();
    let keys_kept = env.parsed(
        "PROVIDER_KEYS_KEPT_SECONDS",
        keys_kept.as_secs(),
        "seconds after which an authorisation is looked up before it is asked for again: less than the \
         payment provider keeps idempotency keys",
    );
    let search_settles = env.parsed(
        "PROVIDER_SEARCH_SETTLES_SECONDS",
        search_settles.as_secs(),
        "seconds after which the payment provider surely finds a payment by its metadata",
    );
    Memory {
        keys_kept: Duration::from_secs(keys_kept),
        search_settles: Duration::from_secs(search_settles),
    }
}
