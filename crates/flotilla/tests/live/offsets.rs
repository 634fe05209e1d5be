//! `flotilla offsets`: how far services are, and the way out of a partition that is stopped.

use sqlx::Connection;

use crate::program::Fleet;

pub(crate) fn are_listed_and_stopped_partitions_moved(fleet: &Fleet) {
    fleet.ok("offsets list").says("warehouse.stock-adjustments");
    fleet.ok("offsets list --service inventory").says("unread");
    fleet.ok("offsets list --stopped").says("no partition is stopped");
    let topic = "inventory --topic warehouse.stock-adjustments";
    fleet.run(&format!("offsets move {topic} --to end")).with_code(1).complains("--stopped");
    fleet.run(&format!("offsets move {topic} --to nowhere")).with_code(2).complains("first, end");

    move_beyond_the_end(fleet);
    let stopped = || fleet.ok("offsets list --stopped").stdout;
    assert!(stopped().contains("stopped: beyond_end"), "{}", stopped());
    fleet.ok(&format!("offsets move {topic} --to end")).says("would move 1");
    let one = fleet.run(&format!("offsets move {topic} --partition 0 --to 999 --yes"));
    one.with_code(1).complains("ends at");
    fleet.ok(&format!("offsets move {topic} --partition 0 --to end --yes")).says("moved from");
    fleet.ok("offsets list --stopped").says("no partition is stopped");
    // What comes next is read, by the service that ran all the time.
    fleet.ok("stock adjust tea 1");
}

/// Somebody changes a row by hand.
fn move_beyond_the_end(fleet: &Fleet) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let environment =
            local::Environment::new(fleet.settings.clone(), local::Lifetime::UntilStopped);
        let url = environment.superuser_url("inventory").unwrap();
        let mut db = sqlx::PgConnection::connect(&url).await.unwrap();
        let changed = sqlx::query(
            "update flotilla.offsets set next_offset = 1000000
             where topic = 'warehouse.stock-adjustments' and partition = 0",
        );
        assert_eq!(changed.execute(&mut db).await.unwrap().rows_affected(), 1);
    });
}
