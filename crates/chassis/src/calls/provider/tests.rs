//! What is logged and reported while the other side of calls gives no outcomes.

use sqlx::PgConnection;
use uuid::Uuid;

use super::*;
use crate::calls::{Adapter, Asked, CallQueue};
use crate::effects::{Effects, Intent};
use crate::executor::queue::queue;
use crate::failure::Failure;
use crate::postgres::writes::Writes;
use crate::run::config::Config;
use crate::run::env::Env;
use crate::service::{Calls, Outside, Service};

struct Caller;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Ask(u32);

impl Service for Caller {
    const NAME: &'static str = "caller";
    type Input = u32;
    type Call = Ask;
    type Reply = ();
    type Rows = ();

    async fn load(&self, _: &mut PgConnection, _: &[&u32]) -> Result<(), Failure> {
        Ok(())
    }

    fn decide(&self, _: &mut (), _: &u32, _: &mut Effects<Ask>) {}

    fn save(&self, _: &(), _: &mut Writes) -> Result<(), Failure> {
        Ok(())
    }
}

impl Calls for Caller {
    async fn open_calls(
        &self,
        _: &mut PgConnection,
        _: &[Uuid],
    ) -> Result<Vec<(Uuid, Ask)>, Failure> {
        Ok(Vec::new())
    }
}

#[derive(Clone, Default)]
struct Oracle {
    is_there: Arc<AtomicBool>,
}

impl Outside<Caller> for Oracle {
    const NAME: &'static str = "oracle";

    async fn call(&self, Ask(number): Ask, _: Duration) -> Result<u32, Unanswered> {
        match self.is_there.load(Relaxed) {
            true => Ok(number),
            false => Err(Unanswered::new("it is silent")),
        }
    }
}

#[tokio::test]
async fn a_provider_whose_last_open_call_is_settled_elsewhere_is_no_longer_waited_for() {
    let config = Config::read(&mut Env::from_fn(|_unset| None));
    let telemetry = Arc::new(Telemetry::start(Caller::NAME, &config).unwrap());
    let health = Arc::new(Health::new(1));
    let provider = Provider::new("oracle", Arc::clone(&health), Arc::clone(&telemetry));
    let refused = Unanswered::refused("not today");
    provider.unanswered(&refused);
    let long_ago = Instant::now().checked_sub(AWAY_TIME).unwrap();
    provider.doubt.lock().unwrap().as_mut().unwrap().since = long_ago;
    for _attempt in 1..AWAY_ATTEMPTS {
        provider.unanswered(&refused);
    }
    let is_waited_for = || health.conditions().contains_key("oracle");
    provider.show(1, Duration::from_secs(60));
    assert!(is_waited_for());
    assert!(telemetry.render().contains("cause=\"refused\",provider=\"oracle\""));
    provider.show(0, Duration::ZERO);
    assert!(!is_waited_for());
}

#[tokio::test]
async fn a_provider_that_is_away_is_told_of_once_with_what_is_open_and_since_when() {
    let config = Config::read(&mut Env::from_fn(|_unset| None));
    let (health, telemetry) =
        (Arc::new(Health::new(1)), Arc::new(Telemetry::start(Caller::NAME, &config).unwrap()));
    let (senders, _queue) = queue::<Caller>();
    let oracle = Oracle::default();
    let calls = CallQueue::new(
        Adapter::<Caller>::of(oracle.clone()),
        &senders.outcomes,
        Arc::clone(&health),
        Arc::clone(&telemetry),
    );
    let intent = |n| Intent {
        age: Duration::ZERO,
        key: Uuid::new_v4(),
        call: Ask(n),
        cause: None,
        trace: None,
    };
    calls.make(Asked { id: Uuid::new_v4(), calls: (0..20).map(intent).collect() });
    let said = || health.conditions().get("oracle").map(|condition| condition.reason.clone());
    let told = async {
        while said().is_none() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), told).await.unwrap();
    assert!(said().unwrap().contains("unclear_answer"));
    calls.inner.show();
    let metrics = telemetry.render();
    assert_eq!(value(&metrics, "flotilla_calls_open"), 20.0);
    assert!(health.moved().is_empty());
    assert!(value(&metrics, "flotilla_calls_oldest_age_seconds") >= 2.0, "{metrics}");
    assert!(metrics.contains("cause=\"unclear_answer\",provider=\"oracle\""), "{metrics}");

    oracle.is_there.store(true, Relaxed);
    let answered = async {
        while !calls.inner.waiting().is_empty() || said().is_some() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(120), answered).await.unwrap();
    calls.inner.show();
    assert_eq!(value(&telemetry.render(), "flotilla_calls_open"), 0.0);
    assert!(health.moved().contains_key("oracle"));
}

fn value(metrics: &str, name: &str) -> f64 {
    let of_metric = |line: &&str| line.starts_with(&format!("{name}{{provider=\"oracle\""));
    let line = metrics.lines().find(of_metric).unwrap();
    line.rsplit_once(' ').unwrap().1.parse().unwrap()
}
