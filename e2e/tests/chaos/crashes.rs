//! Payment dies between the commit that asks for a call and the commit of its outcome: before the provider is
//! asked, or with its answer in hand. Separate from kills by chance, which hardly ever hit these moments.

use flotilla::audit;

use e2e::rig::{REST, TURN, captured, open};

#[tokio::test]
async fn a_call_whose_process_died_before_its_outcome_was_committed_is_made_by_the_sweep() {
    let _turn = TURN.lock().await;
    let shop = open().await.unwrap();
    let sku = shop.item(2).await.unwrap();
    // The first batch asks for the call, the second holds its outcome.
    for window in ["executor.after_commit:1", "executor.before_commit:2"] {
        shop.fleet.stop_service("payment").await.unwrap();
        let brittle = shop.fleet.with_variable("FLOTILLA_CRASH_AT", window);
        brittle.start_service("payment").await.unwrap();
        let order = shop.place(&[(&sku, 1)], "DE", "tok_visa").await.unwrap();
        shop.wait("payment to die", async || {
            let process = shop.fleet.process("payment");
            Ok(process.is_none_or(|process| !process.is_alive()).then_some(()))
        })
        .await
        .unwrap();

        // Only its row knows of the call. It falls due by itself after half a minute.
        let mut db = shop.database("payment").await.unwrap();
        let due = sqlx::query("update flotilla.intents set due_at = now() where keys @> array[$1]");
        let due = due.bind(order).execute(&mut db).await.unwrap();
        assert_eq!(due.rows_affected(), 1, "{window}");
        shop.fleet.start_service("payment").await.unwrap();
        shop.ended(order, "completed").await.unwrap();
        assert_eq!(captured(&shop, order).await.unwrap(), [250], "{window}");
    }
    let report = audit::run(&shop.fleet, REST).await.unwrap();
    assert!(report.is_clean(), "{}", report.broken());
}
