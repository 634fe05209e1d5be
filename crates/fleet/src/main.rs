//! The services of the fleet in one process, for anyone with one machine and no cluster. It alone depends on all of
//! them: they meet on Kafka here as everywhere, and none knows that the others are near.

use std::process::ExitCode;

use chassis::{host, hosted};

#[global_allocator]
static ALLOCATOR: chassis::Allocator = chassis::Allocator;

/// In the roster's order: their ports follow each other in it.
fn main() -> ExitCode {
    host([hosted(order::app), hosted(payment::app), hosted(inventory::app), hosted(shipping::app)])
}
