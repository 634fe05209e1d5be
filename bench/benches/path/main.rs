//! What a service costs by itself, step by step on the way of an event: heard, decided, packed, made a
//! record again. No server, no network: the same code as in a replica, with everything outside left out.

#![allow(clippy::disallowed_methods, reason = "tests take the time from wherever they like")]

mod batch;
mod codec;
mod samples;

use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};

/// Short, so that a change and its opposite can be measured by turns: a minute and a half in all.
fn config() -> Criterion {
    let times = (Duration::from_millis(500), Duration::from_secs(2));
    Criterion::default().warm_up_time(times.0).measurement_time(times.1).without_plots()
}

criterion_group! {
    name = path;
    config = config();
    targets = codec::all, batch::order, batch::payment
}
criterion_main!(path);
