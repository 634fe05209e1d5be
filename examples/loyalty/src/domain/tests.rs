//! Every state and every input.

use events::OrderId;
use uuid::Uuid;

use super::*;

fn completed(total_minor: i64) -> Input {
    Input::Completed { customer: "ada".to_owned(), total_minor }
}

fn granted(points: i64) -> State {
    State::Granted { customer: "ada".to_owned(), points }
}

/// The next state and the changes that are published.
fn decided(state: &State, input: Input) -> (State, Vec<i64>) {
    let Decision { state, events, .. } = decide(OrderId(Uuid::nil()), state, input, 7);
    let told = events.into_iter().map(|LoyaltyEvent::PointsChanged(event)| {
        assert_eq!((event.customer_id.as_str(), event.occurred_at), ("ada", 7));
        event.change
    });
    (state, told.collect())
}

#[test]
fn an_order_earns_its_points_once_and_loses_them_once_in_whatever_order_it_is_heard() {
    for (state, input, next, told) in [
        (State::New, completed(1_299), granted(12), vec![12]),
        (State::New, Input::Returned, State::TakenBack, vec![]),
        (granted(12), completed(1_299), granted(12), vec![]),
        (granted(12), Input::Returned, State::TakenBack, vec![-12]),
        (State::TakenBack, completed(1_299), State::TakenBack, vec![]),
        (State::TakenBack, Input::Returned, State::TakenBack, vec![]),
    ] {
        assert_eq!(decided(&state, input.clone()), (next, told), "{state:?} {input:?}");
    }
}

#[test]
fn a_point_is_a_whole_hundred_and_there_is_a_most() {
    for (total_minor, points) in
        [(0, 0), (99, 0), (100, 1), (199, 1), (i64::MAX, POINTS_MAX), (-100, 0)]
    {
        let told = if points == 0 { vec![] } else { vec![points] };
        assert_eq!(decided(&State::New, completed(total_minor)), (granted(points), told));
    }
    assert_eq!(decided(&granted(0), Input::Returned), (State::TakenBack, vec![]));
}
