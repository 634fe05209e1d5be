//! `flotilla audit`.

use crate::program::Fleet;

pub(crate) fn judges_a_fleet_at_rest(fleet: &Fleet) {
    fleet.ok("audit --wait-seconds 60").says("holds");
    let report = fleet.ok("--json audit").document();
    assert_eq!(report["moving"], serde_json::json!([]));
}
