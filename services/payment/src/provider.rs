//! The payment provider: four calls, each of which may be made again under the same key and then gets the first
//! answer again. Two adapters: one over HTTP, and one in the process that is not part of shipped programs. The
//! settings choose one.

mod http;
#[cfg(feature = "in-process")]
mod in_process;

use std::time::Duration;

use chassis::{Adapter, Env};

use crate::payments::Payments;

pub use http::{Http, Memory};
#[cfg(feature = "in-process")]
pub use in_process::InProcess;

/// The name in logs and metrics.
const NAME: &str = "payment-provider";

/// The adapter that the settings choose. Returns nothing after a problem that leaves nobody to call.
pub fn from_env(env: &mut Env) -> Option<Adapter<Payments>> {
    let memory = memory(env);
    Adapter::from_env(env, "PROVIDER", "the payment provider", in_process(), |api| {
        Ok(Http::new(api.url, &api.key, api.timeout)?.with_memory(memory))
    })
}

#[cfg(feature = "in-process")]
fn in_process() -> Option<Adapter<Payments>> {
    Some(Adapter::of(InProcess::default()))
}

#[cfg(not(feature = "in-process"))]
fn in_process() -> Option<Adapter<Payments>> {
    None
}

/// By convention providers know keys for a day: relying on more risks a second hold.
fn memory(env: &mut Env) -> Memory {
    let Memory { keys_kept, search_settles } = Memory::default();
    let keys_kept = env.parsed(
        "PROVIDER_KEYS_KEPT_SECONDS",
        keys_kept.as_secs(),
        "seconds after which an authorization is looked up before it is asked for again: less than the \
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
