//! The carrier: two calls, each of which may be made again under the same key, and each of which is answered
//! with how the shipment ended, whichever of them came first. Two adapters: one over HTTP, and one in the
//! process that is not part of shipped programs. The settings choose one.

mod http;
#[cfg(feature = "in-process")]
mod in_process;

use chassis::{Adapter, Env};

use crate::shipments::Shipments;

pub use http::Http;
#[cfg(feature = "in-process")]
pub use in_process::InProcess;

/// The name in logs and metrics.
const NAME: &str = "carrier";

/// The adapter that the settings choose. Returns nothing after a problem that leaves nobody to call.
pub fn from_env(env: &mut Env) -> Option<Adapter<Shipments>> {
    Adapter::from_env(env, "CARRIER", "the carrier", in_process(), |api| {
        Http::new(api.url, &api.key, api.timeout)
    })
}

#[cfg(feature = "in-process")]
fn in_process() -> Option<Adapter<Shipments>> {
    Some(Adapter::of(InProcess::default()))
}

#[cfg(not(feature = "in-process"))]
fn in_process() -> Option<Adapter<Shipments>> {
    None
}
