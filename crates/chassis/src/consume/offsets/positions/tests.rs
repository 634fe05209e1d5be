//! What becomes of partitions in memory as they are given, taken, set aside and moved on.

use super::*;

const P: Partition = Partition { topic: "t", number: 0 };

#[test]
fn what_was_fetched_before_a_reassignment_is_stale() {
    let positions = Positions::default();
    let first = positions.assign(P, 10);
    assert!(positions.is_current(P, first, 10));
    assert!(!positions.is_current(P, first, 9));
    let second = positions.assign(P, 10);
    assert!(!positions.is_current(P, first, 10));
    assert!(positions.is_current(P, second, 10));
    positions.revoke(P);
    assert!(!positions.is_current(P, second, 10));
}

fn due(positions: &Positions) -> Vec<Partition> {
    positions.questions().into_iter().map(|question| question.partition).collect()
}

#[test]
fn a_partition_is_held_once_the_consumer_is_where_the_database_is() {
    let positions = Positions::default();
    positions.expect(P);
    assert_eq!((positions.count(), positions.held()), (1, vec![]));
    let questions = positions.questions();
    assert_eq!(positions.questions(), [], "asked once");
    positions.answer(questions[0], Some(7));
    assert_eq!(positions.found(), [(P, 7)]);
    positions.assign(P, 7);
    assert_eq!((positions.found(), positions.held()), (vec![], vec![P]));
}

#[test]
fn what_was_begun_counts_only_where_nobody_decided_otherwise_meanwhile() {
    let positions = Positions::default();
    let find = |offset| {
        positions.expect(P);
        positions.answer(positions.questions()[0], Some(offset));
    };
    find(7);
    positions.revoke(P);
    positions.begun(P, 7);
    assert_eq!(positions.held(), [], "it went to another replica");
    find(7);
    positions.begun(P, 8);
    assert_eq!(positions.held(), [], "another offset was found");
    positions.begun(P, 7);
    let first = positions.generation(P).unwrap();
    positions.begun_again(P, first);
    let second = positions.generation(P).unwrap();
    assert!(second > first && !positions.is_current(P, first, 7), "it is fetched again");
    positions.begun_again(P, first);
    assert_eq!(positions.generation(P), Some(second), "that was before");
    positions.hold(P, Duration::ZERO);
    positions.begun_again(P, second);
    assert_eq!(positions.held(), [], "it was set aside");
}

#[test]
fn a_partition_gets_nothing_unless_something_was_passed_or_it_waits_for_a_schema() {
    let positions = Positions::default();
    assert!(!positions.gets_nothing(P), "it is not held");
    let generation = positions.assign(P, 7);
    assert!(positions.gets_nothing(P));
    positions.needs_schema(P, generation, true);
    assert!(!positions.gets_nothing(P));
    positions.needs_schema(P, generation, false);
    positions.skip_to(P, generation, 8);
    assert!(!positions.gets_nothing(P), "ignored events were handed over");
    assert!(positions.is_past(P, 6) && !positions.is_past(P, 7));
}

#[test]
fn an_answer_that_comes_after_the_partition_went_and_came_back_is_dropped() {
    let positions = Positions::default();
    positions.expect(P);
    let former = positions.questions()[0];
    positions.revoke(P);
    positions.expect(P);
    let present = positions.questions()[0];
    positions.answer(former, Some(7));
    assert_eq!(positions.found(), []);
    positions.answer(present, Some(9));
    assert_eq!(positions.found(), [(P, 9)]);
    positions.put_off(P, Duration::ZERO);
    assert_eq!(due(&positions), [P]);
}

#[test]
fn a_stopped_partition_is_looked_up_again_when_an_operator_has_decided_and_not_before() {
    let positions = Positions::default();
    positions.expect(P);
    positions.answer(positions.questions()[0], None);
    assert_eq!((positions.count(), due(&positions)), (1, vec![]));
    positions.restart(P);
    assert_eq!(due(&positions), [P]);
    positions.assign(P, 3);
    positions.restart(P);
    assert_eq!((positions.held(), due(&positions)), (vec![P], vec![]), "it is not stopped");
    positions.stop(P);
    assert_eq!((positions.held(), due(&positions)), (vec![], vec![]));
}

/// What is processed up to an offset under an assignment.
fn up_to(next: i64, generation: u64) -> Processed {
    Processed::from([(P, Reached { generation, next })])
}

fn reload(positions: &Positions, found: Option<i64>) -> Vec<SetBack> {
    let stored = found.map(|offset| (P, offset)).into_iter().collect();
    positions.reload(&positions.snapshot(), &stored)
}

#[test]
fn skipped_events_move_with_the_next_transaction() {
    let positions = Positions::default();
    let generation = positions.assign(P, 10);
    let advances = || positions.advances(&Processed::new()).unwrap();
    assert_eq!(advances(), []);
    positions.skip_to(P, generation, 14);
    assert_eq!(advances(), [Advance { partition: P, from: 10, to: 14 }]);
    positions.committed(&advances());
    assert_eq!(advances(), []);
}

#[test]
fn a_partition_whose_offset_went_back_is_fetched_again_and_nothing_between_is_passed() {
    let positions = Positions::default();
    let generation = positions.assign(P, 120);
    let set_back = reload(&positions, Some(100));
    assert_eq!(set_back, [SetBack { partition: P, from: 120, to: Some(100) }]);
    // The batch that found it out must neither be committed nor move 100 to 121.
    assert!(!positions.is_current(P, generation, 120));
    assert_eq!(positions.advances(&up_to(121, generation)), None);
    assert_eq!(positions.advances(&Processed::new()), Some(Vec::new()));
    assert_eq!(due(&positions), [P]);
}

#[test]
fn a_partition_whose_offset_is_gone_is_fetched_again() {
    let positions = Positions::default();
    positions.assign(P, 0);
    assert_eq!(reload(&positions, None), [SetBack { partition: P, from: 0, to: None }]);
    assert_eq!(due(&positions), [P]);
}

#[test]
fn what_another_replica_has_done_meanwhile_falls_away() {
    let positions = Positions::default();
    let generation = positions.assign(P, 10);
    assert_eq!(reload(&positions, Some(12)), []);
    assert!(!positions.is_current(P, generation, 11));
    assert!(positions.is_current(P, generation, 12));
    assert_eq!(due(&positions), []);
}

#[test]
fn a_partition_that_came_back_while_offsets_were_read_is_not_taken_for_set_back() {
    let positions = Positions::default();
    positions.assign(P, 10);
    let before = positions.snapshot();
    let generation = positions.assign(P, 50);
    assert_eq!(positions.reload(&before, &HashMap::from([(P, 9)])), []);
    assert!(positions.is_current(P, generation, 50));
}

#[test]
fn a_batch_whose_partition_was_revoked_or_fetched_again_meanwhile_moves_nothing() {
    let positions = Positions::default();
    let generation = positions.assign(P, 10);
    assert!(positions.advances(&up_to(11, generation)).is_some());
    positions.revoke(P);
    assert_eq!(positions.advances(&up_to(11, generation)), None);
    positions.assign(P, 10);
    assert_eq!(positions.advances(&up_to(11, generation)), None);
}
