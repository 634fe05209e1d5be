//! What is measured when an order changes: the time since it was placed, why it was compensated, how it
//! ended; and how open orders are shown. docs/metrics.md says what each metric means.

use chassis::{Effects, Metric, Reading};
use events::{OrderEvent, OrderId};

use crate::domain::State;
use crate::phase::Phase;
use crate::store::{OpenOrders, Reason};

const STEP_DURATION: &str = "flotilla_order_step_duration";
const COMPENSATIONS: &str = "flotilla_order_compensations";
const ENDED: &str = "flotilla_orders_ended";
const OPEN: &str = "flotilla_orders_open";
const STUCK: &str = "flotilla_orders_stuck";
const OLDEST_OPEN: &str = "flotilla_orders_oldest_open_age_seconds";

/// All of them, for the service's description.
pub(crate) fn described() -> [Metric; 6] {
    [
        Metric::duration(STEP_DURATION, "From placing an order to each step"),
        Metric::counter(COMPENSATIONS, "Orders that were cancelled, by reason"),
        Metric::counter(ENDED, "Orders that came to an end, by state"),
        Metric::gauge(OPEN, "Orders that are neither completed nor cancelled, by state"),
        Metric::gauge(STUCK, "Open for more than five minutes, by whom they wait for"),
        Metric::gauge(OLDEST_OPEN, "Time since the oldest of them was placed"),
    ]
}

/// Measures a change of an order from one state to another, with the events that it led to. Never
/// called for an input that changed nothing: a redelivery is no second step.
pub(crate) fn changed<C>(
    effects: &mut Effects<C>,
    order: OrderId,
    state: &State,
    events: &[OrderEvent],
) {
    for event in events {
        if let Some(step) = step_of(event) {
            effects.observe(STEP_DURATION, ("step", step), age(order, effects.now_micros()));
        }
        if let OrderEvent::OrderCancelled(cancelled) = event {
            effects.count(COMPENSATIONS, ("reason", Reason::from(cancelled.reason).name()));
        }
    }
    if state.is_terminal() {
        effects.count(ENDED, ("state", Phase::from(state).name()));
    }
}

/// The open orders as gauges.
pub(crate) fn readings(open: &OpenOrders) -> Vec<Reading> {
    let by_state = open.by_phase.iter().map(|(phase, count)| Reading {
        name: OPEN,
        label: Some(("state", phase.name())),
        value: *count as f64,
    });
    let stuck = open.stuck.iter().map(|(service, count)| Reading {
        name: STUCK,
        label: Some(("waits_for", service)),
        value: *count as f64,
    });
    let oldest = Reading { name: OLDEST_OPEN, label: None, value: open.oldest_seconds };
    by_state.chain(stuck).chain([oldest]).collect()
}

/// Seconds since the order was placed, as its id says. The time of a batch is a little behind the
/// database's, from which ids are made.
fn age(order: OrderId, now_micros: i64) -> f64 {
    let placed = order.created_at_micros().unwrap_or(now_micros);
    now_micros.saturating_sub(placed).max(0) as f64 / 1e6
}

fn step_of(event: &OrderEvent) -> Option<&'static str> {
    match event {
        OrderEvent::OrderConfirmed(_) => Some("confirmed"),
        OrderEvent::OrderShipped(_) => Some("shipped"),
        OrderEvent::OrderCompleted(_) => Some("completed"),
        OrderEvent::OrderCancelled(_) => Some("cancelled"),
        OrderEvent::OrderCompensated(_) => Some("compensated"),
        OrderEvent::OrderReturned(_) => Some("returned"),
        // The beginning, and a question whose answer is a step of its own.
        OrderEvent::OrderPlaced(_) | OrderEvent::OrderCancellationRequested(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_as_old_as_its_id_and_never_younger_than_nothing() {
        let order = OrderId::now();
        let placed = order.created_at_micros().unwrap();
        assert_eq!(age(order, placed + 1_500_000), 1.5);
        assert_eq!(age(order, placed - 1_500_000), 0.0);
    }
}
