use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

use super::*;
use crate::effects::Effects;
use crate::executor::queue::{Next, Queue, Senders, queue};
use crate::run::config::Config;
use crate::run::env::Env;

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

/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

async fn until(what: &str, holds: impl Fn() -> bool) {
    let comes_true = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, comes_true)
        .await
        .unwrap_or_else(|_| panic!("waited for {what}"));
}

/// Calls to somebody outside, with both ends of the queue that outcomes go to.
struct Rig {
    calls: CallQueue<Asking>,
    queue: Queue<Asking>,
    senders: Senders<Asking>,
}

impl Rig {
    fn of(outside: impl Outside<Asking>) -> Self {
        let (senders, queue) = queue();
        let config = Config::read(&mut Env::from_fn(|_unset| None));
        let telemetry = Arc::new(Telemetry::start(Asking::NAME, &config).unwrap());
        let health = Arc::new(Health::new(1));
        let calls = CallQueue::new(Adapter::of(outside), &senders.outcomes, health, telemetry);
        Rig { calls, queue, senders }
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
    let Rig { calls, mut queue, senders: _senders } = Rig::of(Brittle::default());
    let intent =
        |call| Intent { age: Duration::ZERO, key: Uuid::nil(), call, cause: None, trace: None };
    calls.make(Asked { id: Uuid::nil(), calls: vec![intent(1), intent(2)] });
    let answered = async {
        let mut answers = 0;
        while answers < 2 {
            match queue.next().await {
                Next::Batch(batch) => answers += batch.len(),
                Next::Idle => {}
                Next::Closed => panic!("the senders live"),
            }
        }
    };
    tokio::time::timeout(PATIENCE, answered).await.expect("both are answered");
    until("nothing to wait", || calls.inner.waiting().is_empty()).await;
}

/// Answers when told to.
struct Crowded {
    under_way: AtomicU32,
    most: AtomicU32,
    answers: Semaphore,
}

impl Outside<Asking> for Arc<Crowded> {
    const NAME: &'static str = "crowded";

    async fn call(&self, _: u32, _: Duration) -> Result<&'static str, Unanswered> {
        let under_way = self.under_way.fetch_add(1, SeqCst) + 1;
        self.most.fetch_max(under_way, SeqCst);
        self.answers.acquire().await.unwrap().forget();
        self.under_way.fetch_sub(1, SeqCst);
        Ok("answered")
    }
}

#[tokio::test]
async fn no_more_calls_are_under_way_than_the_bulkhead_has_places_and_all_get_their_turn() {
    let (under_way, most, answers) = (AtomicU32::new(0), AtomicU32::new(0), Semaphore::new(0));
    let crowded = Arc::new(Crowded { under_way, most, answers });
    let Rig { calls, mut queue, senders: _senders } = Rig::of(Arc::clone(&crowded));
    let (places, all) = (CONCURRENT_MAX as u32, 2 * CONCURRENT_MAX);
    let intent =
        |call| Intent { age: Duration::ZERO, key: Uuid::nil(), call, cause: None, trace: None };
    calls.make(Asked { id: Uuid::nil(), calls: (0..2 * places).map(intent).collect() });
    until("every place to be taken", || crowded.under_way.load(SeqCst) == places).await;
    assert_eq!(calls.inner.waiting().len(), all);
    crowded.answers.add_permits(all);
    let mut answered = 0;
    while answered < all {
        match tokio::time::timeout(PATIENCE, queue.next()).await.expect("all are answered") {
            Next::Batch(batch) => answered += batch.len(),
            Next::Idle => {}
            Next::Closed => panic!("the senders live"),
        }
    }
    assert_eq!(crowded.most.load(SeqCst), places);
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
    let silent = Silent::default();
    let asked = Arc::clone(&silent.asked);
    let Rig { calls, queue: _queue, senders: _senders } = Rig::of(silent);
    let make = || {
        let (id, age, cause, trace) = (Uuid::nil(), Duration::ZERO, None, None);
        calls.make(Asked { id, calls: vec![Intent { key: id, call: 1, age, cause, trace }] });
    };
    make();
    until("the call to be made", || asked.load(SeqCst) > 0).await;
    calls.inner.waiting().clear();
    make();
    // The first task ends, and leaves the other's place alone.
    until("one of the tasks to end", || Arc::strong_count(&calls.inner) <= 2).await;
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
    let choosy = Choosy::default();
    let refused = Arc::clone(&choosy.refused);
    let Rig { calls, queue: _queue, senders: _senders } = Rig::of(choosy);
    let make = |call, age| {
        let (key, cause, trace) = (Uuid::new_v4(), None, None);
        calls.make(Asked { id: key, calls: vec![Intent { key, call, age, cause, trace }] });
    };
    let refused_again = async || {
        let before = refused.load(SeqCst);
        until("three refusals", || refused.load(SeqCst) >= before + 3).await;
    };
    // One that has waited for long, and one that was just asked for.
    make(1, LONG * 2);
    make(0, Duration::ZERO);
    refused_again().await;
    assert_eq!(told(), 0, "the provider answers nobody");
    make(2, Duration::ZERO);
    until("an answer", || calls.inner.provider.answers() > 0).await;
    until("a line", || told() > 0).await;
    refused_again().await;
    assert_eq!(told(), 1);
}

#[tokio::test]
async fn a_call_that_is_settled_without_its_answer_is_made_no_more() {
    let silent = Silent::default();
    let asked = Arc::clone(&silent.asked);
    let Rig { calls, queue: _queue, senders: _senders } = Rig::of(silent);
    let (key, cause, trace) = (Uuid::nil(), None, None);
    let intent = Intent { key, call: 1, age: Duration::ZERO, cause, trace };
    calls.make(Asked { id: key, calls: vec![intent] });
    let asked_again = async |more| {
        let before = asked.load(SeqCst);
        until("more attempts", || asked.load(SeqCst) >= before + more).await;
    };
    asked_again(2).await;

    let servers = local::testing::servers().await.unwrap();
    let database = servers.fresh_database("calls").await.unwrap();
    let mut db = PgConnection::connect(&database.owner_url).await.unwrap();
    // It has not waited for long: nobody checks whether it is open.
    calls.inner.waiting().get_mut(&1).unwrap().since = Instant::now();
    calls.give_up_closed(&Asking, &mut db).await.unwrap();
    assert!(calls.inner.waiting().contains_key(&1));
    let long_ago = Instant::now().checked_sub(LONG * 2).unwrap();
    calls.inner.waiting().get_mut(&1).unwrap().since = long_ago;
    calls.give_up_closed(&Asking, &mut db).await.unwrap();
    assert!(calls.inner.waiting().is_empty(), "the service knows of no open call");
    // The task ends, and with it whatever it holds of the queue.
    until("the task to end", || Arc::strong_count(&calls.inner) == 1).await;
}
