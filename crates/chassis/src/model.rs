//! Services in memory, without servers: what a simulation of a fleet runs by the thousand. A fact is heard through
//! the subscription that the service registered, and decided by the shipped [`Service::decide`], so that what is
//! ignored, how an event becomes an input, the numbers of what is published and all that a decision changes are the
//! service's own. What is left out is what one batch needs of the outside: bytes and SQL.

pub(crate) mod fact;

use std::collections::HashSet;
use std::sync::Arc;

pub use self::fact::Fact;
use crate::app::App;
use crate::consume::subscription::{Declared, Heard, Subscription};
use crate::effects::Effects;
use crate::measuring::wire::ids;
use crate::service::Service;

/// A service as it declares itself.
pub struct Model<S: Service> {
    service: Arc<S>,
    subscriptions: Vec<Box<dyn Subscription<S>>>,
    publishes: Vec<&'static str>,
}

/// One replica of a service, with all of its rows in memory. It decides one batch that never ends: rows are
/// neither loaded nor saved.
pub struct Replica<S: Service> {
    model: Arc<Model<S>>,
    rows: S::Rows,
    /// The ids of events whose subscription keeps an inbox.
    inbox: HashSet<String>,
    now_micros: i64,
}

/// What a decision came to.
pub struct Done<S: Service> {
    /// What the caller of a command would be told.
    pub reply: S::Reply,
    /// What was published, in its order.
    pub facts: Vec<Fact>,
    /// Whom to call.
    pub calls: Vec<S::Call>,
    /// Why the input was refused: as an event it would be a dead letter.
    pub refusal: Option<String>,
}

impl<S: Service> Model<S> {
    /// Takes a service as it declares itself. Who makes its calls does not matter: they are returned.
    ///
    /// # Panics
    /// When a schema that it hears is not Avro.
    pub fn new(app: App<S>) -> Arc<Self> {
        let build =
            |heard: &Declared<S>| (heard.build)(&ids(heard.records)).expect("schemas are Avro");
        Arc::new(Model {
            subscriptions: app.hears.iter().map(build).collect(),
            publishes: app.publishes.iter().map(|published| published.topic).collect(),
            service: app.service,
        })
    }

    /// A replica with these rows: those of all keys that it will hear about, as if they had been loaded.
    pub fn replica(self: &Arc<Self>, rows: S::Rows, now_micros: i64) -> Replica<S> {
        Replica { model: Arc::clone(self), rows, inbox: HashSet::new(), now_micros }
    }

    fn read(&self, fact: &Fact) -> Heard<S::Input> {
        let subscription = self.subscriptions.iter().find(|s| s.topic() == fact.topic());
        subscription.map_or(Heard::Ignored, |subscription| subscription.hear(fact))
    }

    /// Whether a fact asks anything of the service.
    pub fn is_asked(&self, fact: &Fact) -> bool {
        matches!(self.read(fact), Heard::Input { .. })
    }
}

impl<S: Service> Replica<S> {
    /// The rows as they are now.
    pub fn rows(&self) -> &S::Rows {
        &self.rows
    }

    /// The service's code.
    pub fn model(&self) -> &Model<S> {
        &self.model
    }

    /// Sets the present time, in microseconds since the Unix epoch.
    pub fn set_clock(&mut self, now_micros: i64) {
        self.now_micros = now_micros;
    }

    /// Hears a fact, again or for the first time. `None` where it asks nothing of the service, or it is in the
    /// inbox.
    pub fn hear(&mut self, fact: &Fact) -> Option<Done<S>> {
        let Heard::Input { input, inbox_id, .. } = self.model.read(fact) else { return None };
        let is_new = inbox_id.is_none_or(|id| self.inbox.insert(id));
        is_new.then(|| self.decide(&input))
    }

    /// Decides an input that is not an event: a command, a timer, or the outcome of a call.
    ///
    /// # Panics
    /// When it publishes to a topic that the service has not declared.
    pub fn decide(&mut self, input: &S::Input) -> Done<S> {
        let mut effects = Effects::collecting_facts(S::NAME, self.now_micros);
        let reply = self.model.service.decide(&mut self.rows, input, &mut effects);
        let facts = effects.facts();
        for fact in &facts {
            let topic = fact.topic();
            assert!(self.model.publishes.contains(&topic), "{} does not declare {topic}", S::NAME);
        }
        let calls = effects.calls.into_iter().map(|intent| intent.call).collect();
        Done { reply, facts, calls, refusal: effects.refusal }
    }
}

impl<S: Service<Rows: Clone>> Clone for Replica<S> {
    fn clone(&self) -> Self {
        let Replica { model, rows, inbox, now_micros } = self;
        let (model, rows, inbox) = (Arc::clone(model), rows.clone(), inbox.clone());
        Replica { model, rows, inbox, now_micros: *now_micros }
    }
}
