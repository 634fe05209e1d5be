use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

use super::*;
use crate::config::{Config, Env};
use crate::effects::Effects;
use crate::queue::{Next, queue};

struct Asking;

impl Service for Asking {
    const NAME: &'static str = "asking";
    type Input = &'static str;
    type Call = u32;
    type Reply = ();
    type Rows = ();

    async fn load(&self, _: &mut PgConnection, _: &[&Self::Input]) -> Result<(), Failure> {
        Ok(())
    }

    fn decide(&self, _: &mut (), _: &Self::Input, _: &mut Effects<u32>) {}

    fn save(&self, _: &(), _: &mut Writes) -> Result<(), Failure> {
        Ok(())
    }
}

impl Calls for Asking {
    async fn open_calls(
        &self,
        _: &mut PgConnection,
        _: &[Uuid],
    ) -> Result<Vec<(Uuid, u32)>, Failure> {
        Ok(Vec::new())
    }
}

/// Panics at the first call.
#[derive(Default)]
struct Brittle {
    asked: AtomicU32,
}

impl Outside<Asking> for Brittle {
    const NAME: &'static str = "brittle";

    async fn call(&self, _: u32, _: Duration) -> Result<&'static str, Unanswered> {
        assert!(self.asked.fetch_add(1, SeqCst) > 0, "told to panic");
        Ok("answered")
    }
}

#[tokio::test]
async fn a_call_whose_adapter_panics_is_made_again_and_so_are_those_that_were_asked_with_it() {
    let (senders, mut queue) = queue::<Asking>();
    let config = Config::read(&mut Env::from_fn(|_unset| None));
    let telemetry = Arc::new(Telemetry::start(Asking::NAME, &config).unwrap());
    let health = Arc::new(Health::new(1));
    let calls = CallQueue::new(erase(Brittle::default()), &senders.outcomes, health, telemetry);
    let intent =
        |call| Intent { age: Duration::ZERO, key: Uuid::nil(), call, cause: None, trace: None };
    calls.make(Asked { id: Uuid::nil(), calls: vec![intent(1), intent(2)] });
    let mut answers = 0;
    while answers < 2 {
        match queue.next().await {
            Next::Batch(batch) => answers += batch.len(),
            Next::Idle => {}
            Next::Closed => panic!("the senders live"),
        }
    }
    while !calls.inner.waiting().is_empty() {
        tokio::task::yield_now().await;
    }
}

/// Never answers.
#[derive(Default)]
struct Silent {
    asked: Arc<AtomicU32>,
}

impl Outside<Asking> for Silent {
    const NAME: &'static str = "silent";

    async fn call(&self, _: u32, _: Duration) -> Result<&'static str, Unanswered> {
        self.asked.fetch_add(1, SeqCst);
        Err(Unanswered::new("no answer"))
    }
}

#[tokio::test]
async fn a_call_that_is_asked_for_again_after_it_was_given_up_is_made_by_one_task() {
    let (senders, _queue) = queue::<Asking>();
    let config = Config::read(&mut Env::from_fn(|_unset| None));
    let telemetry = Arc::new(Telemetry::start(Asking::NAME, &config).unwrap());
    let silent = Silent::default();
    let asked = Arc::clone(&silent.asked);
    let health = Arc::new(Health::new(1));
    let calls = CallQueue::new(erase(silent), &senders.outcomes, health, telemetry);
    let make = || {
        let (id, age, cause, trace) = (Uuid::nil(), Duration::ZERO, None, None);
        calls.make(Asked { id, calls: vec![Intent { key: id, call: 1, age, cause, trace }] });
    };
    make();
    while asked.load(SeqCst) == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    calls.inner.waiting().clear();
    make();
    // The first task ends, and leaves the place of the other alone.
    let one_task = async {
        while Arc::strong_count(&calls.inner) > 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), one_task).await.expect("both go on");
    assert!(calls.inner.waiting().contains_key(&1));
}

/// Refuses the first call, and answers the others.
#[derive(Default)]
struct Choosy {
    refused: Arc<AtomicU32>,
}

impl Outside<Asking> for Choosy {
    const NAME: &'static str = "choosy";

    async fn call(&self, call: u32, _: Duration) -> Result<&'static str, Unanswered> {
        if call > 1 {
            return Ok("answered");
        }
        self.refused.fetch_add(1, SeqCst);
        Err(Unanswered::refused("the hold has expired"))
    }
}

/// What is logged, one line after the other.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_call_that_is_refused_for_long_while_others_are_answered_is_logged_once() {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber =
        tracing_subscriber::fmt().with_ansi(false).with_max_level(tracing::Level::ERROR);
    let _logs =
        tracing::subscriber::set_default(subscriber.with_writer(move || writer.clone()).finish());
    let told = || {
        let written = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        written.lines().filter(|line| line.contains("the hold has expired")).count()
    };
    let (senders, _queue) = queue::<Asking>();
    let config = Config::read(&mut Env::from_fn(|_unset| None));
    let telemetry = Arc::new(Telemetry::start(Asking::NAME, &config).unwrap());
    let choosy = Choosy::default();
    let refused = Arc::clone(&choosy.refused);
    let health = Arc::new(Health::new(1));
    let calls = CallQueue::new(erase(choosy), &senders.outcomes, health, telemetry);
    let make = |call, age| {
        let (key, cause, trace) = (Uuid::new_v4(), None, None);
        calls.make(Asked { id: key, calls: vec![Intent { key, call, age, cause, trace }] });
    };
    let refused_again = async || {
        let before = refused.load(SeqCst);
        while refused.load(SeqCst) < before + 3 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    // One that has waited for long, and one that was just asked for.
    make(1, LONG * 2);
    make(0, Duration::ZERO);
    refused_again().await;
    assert_eq!(told(), 0, "the provider answers nobody");
    make(2, Duration::ZERO);
    while calls.inner.provider.answers() == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    while told() == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    refused_again().await;
    assert_eq!(told(), 1);
}

#[tokio::test]
async fn a_call_that_is_settled_without_its_answer_is_made_no_more() {
    let (senders, _queue) = queue::<Asking>();
    let config = Config::read(&mut Env::from_fn(|_unset| None));
    let telemetry = Arc::new(Telemetry::start(Asking::NAME, &config).unwrap());
    let silent = Silent::default();
    let asked = Arc::clone(&silent.asked);
    let health = Arc::new(Health::new(1));
    let calls = CallQueue::new(erase(silent), &senders.outcomes, health, telemetry);
    let (key, cause, trace) = (Uuid::nil(), None, None);
    let intent = Intent { key, call: 1, age: Duration::ZERO, cause, trace };
    calls.make(Asked { id: key, calls: vec![intent] });
    let asked_again = async |more| {
        let before = asked.load(SeqCst);
        while asked.load(SeqCst) < before + more {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    asked_again(2).await;

    let servers = local::testing::servers().await.unwrap();
    let database = servers.fresh_database("calls").await.unwrap();
    let mut db = PgConnection::connect(&database.owner_url).await.unwrap();
    // It has not waited for long: nobody looks whether it is open.
    calls.inner.waiting().get_mut(&1).unwrap().since = Instant::now();
    calls.give_up_closed(&Asking, &mut db).await.unwrap();
    assert!(calls.inner.waiting().contains_key(&1));
    let long_ago = Instant::now().checked_sub(LONG * 2).unwrap();
    calls.inner.waiting().get_mut(&1).unwrap().since = long_ago;
    calls.give_up_closed(&Asking, &mut db).await.unwrap();
    assert!(calls.inner.waiting().is_empty(), "the service knows of no open call");
    // The task ends, and with it whatever it holds of the queue.
    while Arc::strong_count(&calls.inner) > 1 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
