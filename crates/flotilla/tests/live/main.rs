//! The command line as people meet it: every command and option that `--help` names, and every command
//! that the README, the guides and the demo tell them to run, on a live fleet.
//!
//! Whoever adds a command or an option adds a call to the file of its group; until then
//! `every_command_and_option_is_run_on_a_live_fleet` fails and names it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod program;
mod outsider;
mod help;
mod documents;
mod json;
mod killed;
mod script;

mod local;
mod orders;
mod payments;
mod shipments;
mod stock;
mod topics;
mod events;
mod publishing;
mod replaying;
mod consumers;
mod contexts;
mod dlq;
mod offsets;
mod audit;
mod verify;
mod new;
mod on_request;
mod contract;
mod one_process;

use program::Fleet;

/// One after the other on one fleet: a fleet takes as long to start as all of them take to run.
#[test]
fn every_command_and_option_is_run_on_a_live_fleet() {
    let fleet = Fleet::new();
    local::is_begun(&fleet);
    json::is_one_document_where_there_is_an_end(&fleet);
    stock::is_listed_set_and_adjusted(&fleet);
    orders::are_placed_watched_and_ended(&fleet);
    payments::are_shown_and_settled_where_the_provider_refuses(&fleet);
    shipments::are_shown_and_settled_where_the_carrier_refuses(&fleet);
    topics::and_schemas_are_listed_and_applied(&fleet);
    events::are_shown_as_they_come(&fleet);
    publishing::is_checked_and_takes_effect_once(&fleet);
    replaying::is_counted_first_resumed_and_done_once(&fleet);
    consumers::are_listed_with_what_they_have_still_to_read(&fleet);
    contexts::say_where_a_fleet_is_and_protect_it(&fleet);
    dlq::letters_are_shown_retried_and_dropped(&fleet);
    offsets::are_listed_and_stopped_partitions_moved(&fleet);
    audit::judges_a_fleet_at_rest(&fleet);
    verify::makes_every_decision_again(&fleet);
    contract::is_tested_on_servers_of_its_own(&fleet);
    on_request::services_join_the_fleet(&fleet);
    new::writes_a_service_and_takes_it_away(&fleet);
    script::looks_at_a_fleet(&fleet);
    documents::are_true(&fleet);
    local::is_looked_at_stopped_and_forgotten(&fleet);
    one_process::runs_the_services_of_a_new_fleet(&fleet);

    let missing = help::Tree::read().not_covered(&fleet.lines());
    assert!(
        missing.is_empty(),
        "not run by any test in crates/flotilla/tests/live: {}",
        missing.join("; ")
    );
}
