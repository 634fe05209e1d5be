//! The judge, on a service of two inputs that says something else when they come the other way round.

use events::{OrderId, ShipmentCancelled, ShipmentDispatched, ShippingEvent};
use sqlx::PgConnection;
use uuid::Uuid;

use super::judge::{Difference, Heard, Said, Verdict, judge};
use super::{Step, Verified};
use crate::effects::Effects;
use crate::failure::Failure;
use crate::postgres::writes::Writes;
use crate::service::{NoCall, Service};

/// What was heard: two letters, and one that matters to nobody.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Letter {
    A,
    B,
    Other,
}

struct Letters;

impl Service for Letters {
    const NAME: &'static str = "letters";
    type Input = Letter;
    type Call = NoCall;
    type Reply = ();
    type Rows = ();

    async fn load(&self, _: &mut PgConnection, _: &[&Letter]) -> Result<(), Failure> {
        Ok(())
    }

    fn decide(&self, (): &mut (), _: &Letter, _: &mut Effects<NoCall>) {}

    fn save(&self, (): &(), _: &mut Writes) -> Result<(), Failure> {
        Ok(())
    }
}

fn order_id() -> OrderId {
    OrderId(Uuid::from_u128(7))
}

fn dispatched(tracking: &str, occurred_at: i64) -> ShippingEvent {
    let tracking_code = tracking.to_owned();
    ShipmentDispatched { order_id: order_id(), tracking_code, occurred_at }.into()
}

fn cancelled(occurred_at: i64) -> ShippingEvent {
    ShipmentCancelled { order_id: order_id(), occurred_at }.into()
}

impl Verified for Letters {
    /// The letters so far.
    type Course = String;
    type Said = ShippingEvent;

    fn about(_: &Letter) -> Option<String> {
        None
    }

    fn again(
        course: &String,
        input: &Letter,
        _: Option<&ShippingEvent>,
        now: i64,
    ) -> Step<String, ShippingEvent> {
        let letter = match input {
            Letter::A => "A",
            Letter::B => "B",
            Letter::Other => "",
        };
        let course = format!("{course}{letter}");
        let is_both = course.len() == 2 && !letter.is_empty();
        let said = if is_both { vec![dispatched(&course, now)] } else { Vec::new() };
        Step { course, said }
    }

    fn given(
        course: &String,
        said: &ShippingEvent,
        now: i64,
    ) -> Option<Step<String, ShippingEvent>> {
        let is_given = matches!(said, ShippingEvent::ShipmentCancelled(_)) && course != "AB";
        is_given.then(|| Step { course: "cancelled".to_owned(), said: vec![cancelled(now)] })
    }

    fn shown(course: &String) -> String {
        course.clone()
    }
}

fn heard(input: Letter, topic: &str, at_ms: i64) -> Heard<Letters> {
    let (name, id) = (format!("{input:?}"), format!("{topic}/{at_ms}"));
    Heard { input, name, topic: topic.to_owned(), id, at_ms }
}

fn said(event: ShippingEvent, at_ms: i64) -> Said<Letters> {
    Said { event, cause: None, at_micros: at_ms * 1_000 }
}

fn path(verdict: Verdict) -> Vec<String> {
    let Verdict::Same(lines) = verdict else { panic!("{verdict:?}") };
    lines.into_iter().map(|line| line.heard).collect()
}

fn difference(verdict: Verdict) -> Difference {
    let Verdict::Different(_, difference) = verdict else { panic!("{verdict:?}") };
    difference
}

#[test]
fn the_order_of_arrival_that_leads_to_what_was_said_is_found_whatever_clocks_say() {
    let topics = [vec![heard(Letter::A, "one", 1)], vec![heard(Letter::B, "two", 2)]];
    let found = |tracking: &str| judge(&topics, &[said(dispatched(tracking, 5_000), 5)]);
    assert_eq!(path(found("AB")), ["A", "B"]);
    assert_eq!(path(found("BA")), ["B", "A"]);
}

#[test]
fn within_a_topic_nothing_changes_places() {
    let topic = vec![heard(Letter::A, "one", 1), heard(Letter::B, "one", 2)];
    let differs = difference(judge(&[topic], &[said(dispatched("BA", 5_000), 5)]));
    assert_eq!((differs.state.as_str(), differs.heard.as_deref()), ("A", Some("B")));
    assert_eq!(
        (differs.says, differs.said),
        (vec!["ShipmentDispatched"], Some("ShipmentDispatched"))
    );
}

#[test]
fn what_no_event_brings_is_taken_from_what_was_said_where_it_is_possible() {
    let topics = [vec![heard(Letter::A, "one", 9)]];
    assert_eq!(path(judge(&topics, &[said(cancelled(5_000), 5)])), ["ShipmentCancelled", "A"]);
    let topics = [vec![heard(Letter::A, "one", 1), heard(Letter::B, "one", 2)]];
    let story = [said(dispatched("AB", 3_000), 3), said(cancelled(5_000), 5)];
    let differs = difference(judge(&topics, &story));
    let everything_heard = None;
    assert_eq!((differs.heard, differs.said), (everything_heard, Some("ShipmentCancelled")));
}

#[test]
fn saying_more_and_saying_less_are_differences() {
    let both = || vec![heard(Letter::A, "one", 1), heard(Letter::B, "one", 2)];
    let more = difference(judge(&[both()], &[]));
    assert_eq!((more.says, more.said), (vec!["ShipmentDispatched"], None));
    let less =
        difference(judge(&[vec![heard(Letter::A, "one", 1)]], &[said(dispatched("A", 1), 2)]));
    assert_eq!((less.state.as_str(), less.heard, less.says.len()), ("A", None, 0));
}

#[test]
fn a_key_with_too_many_orders_of_arrival_is_not_judged() {
    let topics = ["one", "two", "three"]
        .map(|topic| (0..40).map(|at| heard(Letter::Other, topic, at)).collect::<Vec<_>>());
    assert_eq!(judge(&topics, &[said(dispatched("A", 1), 2)]), Verdict::TooMany);
    let none_said: &[Said<Letters>] = &[];
    assert_eq!(path(judge(&topics, none_said)).len(), 120);
}
