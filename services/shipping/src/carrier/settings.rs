//! Which carrier the settings choose.

use chassis::{Env, Place, place_from_env};

use super::Http;
#[cfg(feature = "in-process")]
use super::InProcess;

/// The adapter that was chosen.
#[derive(Debug)]
pub enum Configured {
    Http(Http),
    #[cfg(feature = "in-process")]
    InProcess(InProcess),
}

/// Reads the settings. Returns nothing after a problem that leaves nobody to call.
pub fn from_env(env: &mut Env) -> Option<Configured> {
    match place_from_env(env, "CARRIER", "the carrier", cfg!(feature = "in-process"))? {
        Place::Api(api) => match Http::new(api.url, &api.key, api.timeout) {
            Ok(http) => Some(Configured::Http(http)),
            Err(error) => {
                env.problem(format!("the carrier's client cannot be made: {error}"));
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
