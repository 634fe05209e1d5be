//! docs/disaster.md, followed from its first command to its last on a live fleet: a database that is restored, a topic
//! that is lost, a fleet that moves. A program of its own, as it ends with other servers than it began with.

#![allow(clippy::unwrap_used, reason = "a run that cannot go on should say where")]

mod desk;
mod lost;
mod moved;
mod restored;

use e2e::rig::{TURN, open};

use desk::Desk;

/// One after the other, as on the page: what is restored has to be good enough to be lost and moved.
#[tokio::test]
async fn a_fleet_comes_back_as_the_page_about_disasters_says() {
    let _turn = TURN.lock().await;
    let shop = open().await.unwrap();
    let mut desk = Desk::at(&shop);
    restored::an_order_database_is_set_back_to_a_point_in_time(&shop, &mut desk).await;
    lost::a_topic_is_deleted(&shop, &mut desk).await;
    moved::a_fleet_goes_on_with_other_servers(&shop, &mut desk).await;
    desk.has_run_everything();
}
