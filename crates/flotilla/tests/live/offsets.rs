//! `flotilla offsets`: how far services are, and the way out of a partition that is stopped.

use sqlx::Connection;

use crate::outsider;
use crate::program::{Fleet, wait_for};

pub(crate) fn are_listed_and_stopped_partitions_moved(fleet: &Fleet) {
    fleet.ok("ready --within 5").says("ready");
    fleet.ok("offsets list").says("warehouse.stock-adjustments");
    fleet.ok("offsets list --service inventory").says("unread");
    fleet.ok("offsets list --stopped").says("no partition is stopped");
    let topic = "inventory --topic warehouse.stock-adjustments";
    fleet.run(&format!("offsets move {topic} --to end")).with_code(5).complains("--stopped");
    fleet.run(&format!("offsets move {topic} --to nowhere")).with_code(2).complains("first, end");

    fleet.ok("stock set moved Moved 100");
    let partition = outsider::adjusts(fleet, "moved", 1);
    let has = |free: i64| {
        let stock = fleet.ok("--json stock list").document();
        let items = stock["items"].as_array().cloned().unwrap_or_default();
        items.iter().any(|item| item["sku"] == "moved" && item["free"] == free).then_some(())
    };
    wait_for("the adjustment", || has(1));
    move_beyond_the_end(fleet, partition);
    let stopped = || fleet.ok("offsets list --stopped").stdout;
    assert!(stopped().contains("stopped: beyond_end"), "{}", stopped());
    fleet.ok("consumers list").says("1 partitions stopped").says("stopped: beyond_end");
    fleet.ok(&format!("offsets move {topic} --to end")).says("would move 1");
    let one = format!("offsets move {topic} --partition {partition}");
    fleet.run(&format!("{one} --to 999 --yes")).with_code(4).complains("ends at");
    fleet.ok(&format!("{one} --to end --yes")).says("moved from");
    fleet.ok("offsets list --stopped").says("no partition is stopped");
    // What comes next is read, by the service that ran all the time.
    outsider::adjusts(fleet, "moved", 1);
    wait_for("the next adjustment", || has(2));
}

/// Somebody changes a row by hand.
fn move_beyond_the_end(fleet: &Fleet, partition: i32) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let environment =
            local::Environment::new(fleet.settings.clone(), local::Lifetime::UntilStopped);
        let url = environment.superuser_url("inventory").unwrap();
        let mut db = sqlx::PgConnection::connect(&url).await.unwrap();
        let changed = sqlx::query(
            "update flotilla.offsets set next_offset = 1000000
             where topic = 'warehouse.stock-adjustments' and partition = $1",
        )
        .bind(partition);
        assert_eq!(changed.execute(&mut db).await.unwrap().rows_affected(), 1);
    });
}
