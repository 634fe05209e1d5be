use super::*;

const REASONS: [CancelReason; 6] = [
    CancelReason::Unknown,
    CancelReason::OutOfStock,
    CancelReason::PaymentDeclined,
    CancelReason::ShipmentRefused,
    CancelReason::Customer,
    CancelReason::Overdue,
];
const CAUSES: [CancellationCause; 3] =
    [CancellationCause::Unknown, CancellationCause::Customer, CancellationCause::Overdue];
const HOLDS: [Hold; 3] = [Hold::Unknown, Hold::Held, Hold::Free];

pub(in crate::store) fn all_states() -> Vec<State> {
    let mut states = vec![
        State::AwaitingBoth,
        State::AwaitingStock,
        State::AwaitingPayment,
        State::Confirmed,
        State::Shipped,
        State::Completed,
        State::ReturningBoth,
        State::ReturningGoods,
        State::ReturningMoney,
        State::Returned,
    ];
    states.extend(CAUSES.map(|cause| State::CancellationRequested { cause }));
    for reason in REASONS {
        states.push(State::Cancelled { reason });
        for stock in HOLDS {
            states.extend(HOLDS.map(|payment| State::Cancelling { reason, stock, payment }));
        }
    }
    states
}

#[test]
fn every_state_is_read_back_as_it_was_written() {
    for state in all_states() {
        assert_eq!(StateColumns::of(&state).state().unwrap(), state);
    }
}

#[test]
fn a_phase_covers_exactly_its_states() {
    for state in all_states() {
        let code = StateColumns::of(&state).state;
        let phase = Phase::from(&state);
        assert_eq!(serde_json::to_value(phase).unwrap(), phase.name());
        assert!(codes_of(Some(phase)).contains(&code), "{state:?}");
        assert!(codes_of(None).contains(&code), "{state:?}");
    }
    let phases = [
        Phase::Placed,
        Phase::Confirmed,
        Phase::CancellationRequested,
        Phase::Shipped,
        Phase::Completed,
        Phase::Cancelling,
        Phase::Cancelled,
        Phase::Returning,
        Phase::Returned,
    ];
    let covered: usize = phases.map(|phase| codes_of(Some(phase)).len()).iter().sum();
    assert_eq!(covered, codes_of(None).len());
}

#[test]
fn columns_that_contradict_each_other_are_no_state() {
    let columns = StateColumns::of(&State::Confirmed);
    assert!(StateColumns { reason: Some(1), ..columns }.state().is_err());
    assert!(StateColumns { state: 99, ..columns }.state().is_err());
    assert!(StateColumns { state: CANCELLED, ..columns }.state().is_err());
}
