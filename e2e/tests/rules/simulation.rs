//! Thousands of sagas, in every order of messages that chance comes up with. A service that is not among those that
//! run is found by the names of `e2e::simulation::SERVICES`.

use std::collections::{BTreeSet, HashMap};

use e2e::simulation::{Chances, SERVICES, World};

const RUNS: u64 = 4_000;
const ORDERS: usize = 4;

/// Runs one seed to its end and returns what went wrong.
fn run(seed: u64, chances: Chances) -> (World, Vec<String>) {
    let mut world = World::new(seed, ORDERS, chances);
    world.run();
    world.send_back();
    let wrong = world.judge();
    (world, wrong)
}

/// All seeds, or the one that `SEED` names. Returns how often what happened.
fn sweep(chances: Chances) -> HashMap<&'static str, u64> {
    let one = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok());
    let seeds = one.map_or(0..RUNS, |seed| seed..seed + 1);
    let mut seen: HashMap<&'static str, u64> = HashMap::new();
    for seed in seeds {
        let (world, wrong) = run(seed, chances);
        assert!(wrong.is_empty(), "SEED={seed} {chances:?}:\n{}", wrong.join("\n"));
        world.seen.into_iter().for_each(|(what, times)| *seen.entry(what).or_default() += times);
    }
    seen
}

#[test]
fn every_saga_ends_well_when_each_topic_keeps_the_order_of_a_key() {
    for duplicates_percent in [0, 20] {
        let seen = sweep(Chances { reorder_within_topic: false, duplicates_percent });
        for what in ["OrderCompleted", "OrderCompensated", "OrderReturned", "OrderCancelled"] {
            assert!(seen.get(what).is_some_and(|times| *times > 100), "{what} in {seen:?}");
        }
    }
}

#[test]
fn every_saga_ends_well_when_messages_overtake_each_other_within_a_topic_too() {
    let seen = sweep(Chances { reorder_within_topic: true, duplicates_percent: 20 });
    for what in [
        "tombstones of inventory",
        "tombstones of payment",
        "cancellations that won at the carrier",
        "cancellations that lost to the carrier",
        "commands rejected",
        "OrderReturned",
    ] {
        assert!(seen.get(what).is_some_and(|times| *times > 10), "{what} in {seen:?}");
    }
}

#[test]
fn every_service_of_the_saga_takes_part_in_every_run() {
    assert_eq!(BTreeSet::from(SERVICES), BTreeSet::from(local::SERVICES));
    let one_kept_its_order = Chances { reorder_within_topic: false, duplicates_percent: 0 };
    let (world, _) = run(0, one_kept_its_order);
    for service in SERVICES {
        assert!(world.has_published(service), "{service} publishes nothing");
    }
}

#[test]
fn hearing_everything_once_more_after_the_end_changes_and_publishes_nothing() {
    for seed in 0..RUNS / 4 {
        let (mut world, _) =
            run(seed, Chances { reorder_within_topic: true, duplicates_percent: 0 });
        let before = world.states();
        world.redeliver();
        assert_eq!(world.states(), before, "SEED={seed}");
    }
}
