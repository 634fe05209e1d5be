//! A service with its types erased, so that a program can have several. Separate from `life`, which has the types.

use tokio_util::sync::CancellationToken;

use super::config::Config;
use super::describe::Described;
use super::env::Env;
use super::life;
use crate::app::App;
use crate::postgres::migrations;
use crate::service::Service;
use crate::verify::{Answer, Asked};

/// A service for [`host`](crate::host).
pub struct Hosted(pub(super) Box<dyn Program>);

/// A service that is to be one of several in a process.
pub fn hosted<S: Service>(app: fn(&mut Env) -> App<S>) -> Hosted {
    Hosted(Box::new(Of(app)))
}

/// What the program of a service can do.
pub(super) trait Program {
    fn name(&self) -> &'static str;
    /// Reads its settings. It must not be started if there are problems with them.
    fn configure(&self, env: &mut Env) -> Box<dyn Configured>;
    fn migrate(&self, url: &str, role: Option<&str>) -> anyhow::Result<()>;
    fn describe(&self) -> Described;
    /// None where the service's decisions cannot be made again.
    fn verify(&self, asked: &Asked) -> Option<anyhow::Result<Answer>>;
}

/// A service that can be started.
pub(super) trait Configured: Send {
    fn config(&self) -> &Config;
    /// Returns when it has stopped; with an error if nobody told it to.
    fn serve(self: Box<Self>, stop: &CancellationToken) -> anyhow::Result<()>;
}

struct Of<S: Service>(fn(&mut Env) -> App<S>);

impl<S: Service> Program for Of<S> {
    fn name(&self) -> &'static str {
        S::NAME
    }

    fn configure(&self, env: &mut Env) -> Box<dyn Configured> {
        let app = self.0(env);
        let config = Config::read(env);
        for name in app.misspelt() {
            env.problem(format!("the service names a record that does not exist: {name}"));
        }
        Box::new(Ready { app, config })
    }

    fn migrate(&self, url: &str, role: Option<&str>) -> anyhow::Result<()> {
        // Only the migrations are of interest; the service's own settings need not be set.
        let app = self.0(&mut Env::from_fn(|_| None));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(migrations::migrate(url, app.migrations, role))
    }

    fn describe(&self) -> Described {
        Described::of(self.0)
    }

    fn verify(&self, asked: &Asked) -> Option<anyhow::Result<Answer>> {
        // Only what it hears and says is of interest.
        let app = self.0(&mut Env::from_fn(|_| None));
        app.verifies.map(|verifies| verifies(&app, asked))
    }
}

struct Ready<S: Service> {
    app: App<S>,
    config: Config,
}

impl<S: Service> Configured for Ready<S> {
    fn config(&self) -> &Config {
        &self.config
    }

    fn serve(self: Box<Self>, stop: &CancellationToken) -> anyhow::Result<()> {
        let Ready { app, config } = *self;
        life::serve(app, config, stop)
    }
}
