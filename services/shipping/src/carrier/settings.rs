//! Which carrier the settings choose.

use chassis::{Env, Place, place_from_env};

use super::{Http, InProcess};

/// The adapter that was chosen.
#[derive(Debug)]
pub enum Configured {
    Http(Http),
    InProcess(InProcess),
}

/// Reads the settings. After a problem the answer is of no use, and nobody gets to use it.
pub fn from_env(env: &mut Env) -> Configured {
    let api = match place_from_env(env, "CARRIER", "the carrier") {
        Place::Api(api) => api,
        Place::InProcess => return Configured::InProcess(InProcess::default()),
    };
    match Http::new(api.url, &api.key, api.timeout) {
        Ok(http) => Configured::Http(http),
        Err(error) => {
            env.problem(format!("the carrier's client cannot be made: {error}"));
            Configured::InProcess(InProcess::default())
        }
    }
}
