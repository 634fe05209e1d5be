//! Order's decisions made again from its topics (`order verify`). Separate from `service`, which decides for the first
//! time and has rows to keep.

use chassis::{Step, Verified};
use events::{CancelReason, CancellationCause, Money, OrderEvent, OrderPlaced};

use crate::domain::{self, Decision, Facts, Order, State};
use crate::service::{Input, OrderInput, Orders};

/// How far an order is, once it is placed.
type Course = Option<(Facts, State)>;

impl Verified for Orders {
    type Course = Course;
    type Said = OrderEvent;

    /// Prices are about items; and a request that places an order is not on a topic.
    fn about(input: &Input) -> Option<String> {
        match input {
            Input::Order(input) => Some(input.order.to_string()),
            Input::Place(_) | Input::Price(..) => None,
        }
    }

    fn again(
        course: &Course,
        input: &Input,
        next: Option<&OrderEvent>,
        now_micros: i64,
    ) -> Step<Course, OrderEvent> {
        match input {
            Input::Order(OrderInput { input, .. }) => decided(course, *input, next, now_micros),
            Input::Place(_) | Input::Price(..) => unchanged(course),
        }
    }

    fn given(
        course: &Course,
        said: &OrderEvent,
        now_micros: i64,
    ) -> Option<Step<Course, OrderEvent>> {
        let input = match said {
            OrderEvent::OrderPlaced(placed) => return course.is_none().then(|| begun(placed)),
            OrderEvent::OrderCancellationRequested(e) => command(e.cause)?,
            OrderEvent::OrderCancelled(e) => match e.reason {
                CancelReason::Customer => domain::Input::Cancel,
                CancelReason::Overdue => domain::Input::Overdue,
                // These follow from what the others said.
                CancelReason::Unknown
                | CancelReason::OutOfStock
                | CancelReason::PaymentDeclined
                | CancelReason::ShipmentRefused => return None,
            },
            OrderEvent::OrderReturned(_) => domain::Input::Return,
            // Likewise.
            OrderEvent::OrderConfirmed(_)
            | OrderEvent::OrderShipped(_)
            | OrderEvent::OrderCompleted(_)
            | OrderEvent::OrderCompensated(_) => return None,
        };
        Some(decided(course, input, Some(said), now_micros))
    }

    fn shown(course: &Course) -> String {
        course.as_ref().map_or("not placed".to_owned(), |(_facts, state)| format!("{state:?}"))
    }
}

/// Who asked for a cancellation, if that is known.
fn command(cause: CancellationCause) -> Option<domain::Input> {
    match cause {
        CancellationCause::Customer => Some(domain::Input::Cancel),
        CancellationCause::Overdue => Some(domain::Input::Overdue),
        CancellationCause::Unknown => None,
    }
}

fn begun(placed: &OrderPlaced) -> Step<Course, OrderEvent> {
    let order = Order {
        id: placed.order_id,
        customer_id: placed.customer_id.clone(),
        lines: placed.lines.clone(),
        total: Money::new(placed.total_minor, placed.currency),
        destination: String::new(),
        payment_token: placed.payment_token.clone(),
    };
    let (facts, state, event) = domain::place(order, placed.occurred_at);
    Step { course: Some((facts, state)), said: vec![event.into()] }
}

fn decided(
    course: &Course,
    input: domain::Input,
    next: Option<&OrderEvent>,
    now_micros: i64,
) -> Step<Course, OrderEvent> {
    let Some((facts, state)) = course else { return unchanged(course) };
    let mut facts = facts.clone();
    // Where an order goes is on no topic before its confirmation.
    if let Some(OrderEvent::OrderConfirmed(confirmed)) = next {
        facts.destination.clone_from(&confirmed.destination);
    }
    match domain::decide(&facts, *state, input, now_micros) {
        Ok(Decision { state, mut events, .. }) => {
            events.iter_mut().for_each(|event| forget_customer(event, next));
            Step { course: Some((facts, state)), said: events }
        }
        Err(_rejected) => unchanged(course),
    }
}

/// Events of a release before they named the customer still do not.
fn forget_customer(event: &mut OrderEvent, said: Option<&OrderEvent>) {
    match (event, said) {
        (OrderEvent::OrderCompleted(event), Some(OrderEvent::OrderCompleted(said)))
            if said.customer_id.is_none() =>
        {
            event.customer_id = None;
        }
        (OrderEvent::OrderReturned(event), Some(OrderEvent::OrderReturned(said)))
            if said.customer_id.is_none() =>
        {
            event.customer_id = None;
        }
        _other => {}
    }
}

fn unchanged(course: &Course) -> Step<Course, OrderEvent> {
    Step { course: course.clone(), said: Vec::new() }
}
