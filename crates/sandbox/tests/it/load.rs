//! Many callers at once: nothing is lost, nothing is done twice, and the journal holds all of it.

use sandbox::conduct::{Conduct, Settings};
use sandbox::journal::Durability;
use sandbox::simulator::Simulator;
use uuid::Uuid;

use crate::harness::serve;

const CALLERS: usize = 32;
const ORDERS_EACH: usize = 40;

#[tokio::test(flavor = "multi_thread")]
async fn many_callers_at_once_are_all_recorded_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.jsonl");
    let conduct = || Conduct::new(Settings::default(), 0);
    let (simulator, _) = Simulator::open(&path, Durability::Written, conduct()).unwrap();
    let client = serve(simulator).await;

    let callers = (0..CALLERS).map(|_| {
        let client = client.clone();
        tokio::spawn(async move {
            for _order in 0..ORDERS_EACH {
                let order = Uuid::now_v7();
                // The same call twice at the same moment, as an impatient caller sends it.
                let (one, two) = tokio::join!(
                    client.authorize(order, "tok_visa", 100),
                    client.authorize(order, "tok_visa", 100)
                );
                assert_eq!(one.body, two.body);
                assert_ne!(one.replayed, two.replayed);
                client.book(order, "DE").await;
                client.capture(order).await;
            }
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await.unwrap();
    }
    let orders = CALLERS * ORDERS_EACH;
    let totals = client.get("/ledger?limit=1").await.body["totals"].clone();
    assert_eq!(totals["orders"], orders);
    assert_eq!(totals["payments"]["eur"]["captured_minor"], orders * 100);
    assert_eq!(totals["shipments"]["dispatched"], orders);
    assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), orders * 3);
}
