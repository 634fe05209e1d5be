//! Decisions made again: what a service heard and what it said is on topics, and a decision is pure, so another build
//! can be asked what it would have said. `<service> verify` lists every key for which that differs, and
//! `<service> explain KEY` shows what each event changed. Separate from `executor`, which decides for the first time.
//!
//! The order in which a service processed events of different topics is not recorded. So orders of arrival are tried
//! that keep the order of each topic, and one that leads to what was said is enough: a decision that no order explains
//! is one that this build would not make.

mod command;
mod history;
mod judge;
mod report;

use std::fmt::Debug;

use language::Events;
use uuid::Uuid;

use crate::rows::{Addressed, Decision, KeyedService};
use crate::service::Service;

pub(crate) use command::{
    Answer, Asked, EXIT_DIFFERENT, EXIT_UNJUDGED, Question, Verifies, verifies,
};

/// A service whose decisions about a key depend on its own course and on nothing else that is not on topics.
pub trait Verified: Service {
    /// What the decisions about a key depend on. The default is that of a key that was never heard of.
    type Course: Clone + Default + PartialEq + Debug + Send;
    /// What is said about a key.
    type Said: Events + PartialEq;

    /// The key that an input is about, as it is on the topic of [`Verified::Said`]. None for inputs about anything
    /// else, which are left out.
    fn about(input: &Self::Input) -> Option<String>;

    /// Decides what an input means for a course: the next course, and what is said. `next` is what was said next, if
    /// anything was: a decision that depends on what keys share (what was on the shelf) may assume whatever led to it.
    fn again(
        course: &Self::Course,
        input: &Self::Input,
        next: Option<&Self::Said>,
        now_micros: i64,
    ) -> Step<Self::Course, Self::Said>;

    /// What no event of a topic brings: decides the command, the answer from outside or the deadline of which this
    /// event tells. None where there is no such thing.
    fn given(
        course: &Self::Course,
        said: &Self::Said,
        now_micros: i64,
    ) -> Option<Step<Self::Course, Self::Said>>;

    /// A course in few words, for people, and without what is nobody's business: as it is here, the name alone.
    fn shown(course: &Self::Course) -> String {
        word(&format!("{course:?}"))
    }
}

/// A decision about a course.
#[derive(Debug, Clone, PartialEq)]
pub struct Step<C, E> {
    /// The next course.
    pub course: C,
    /// What is said, in this order.
    pub said: Vec<E>,
}

/// The course of a key in a service with one state for each: the key, once something was heard of it, and its state.
impl<P: KeyedService> Verified for P {
    type Course = Option<(Uuid, P::State)>;
    type Said = P::Event;

    fn about(input: &Self::Input) -> Option<String> {
        let key: Uuid = input.key.into();
        Some(key.to_string())
    }

    fn again(
        course: &Self::Course,
        Addressed { key, input, .. }: &Self::Input,
        _next: Option<&P::Event>,
        now_micros: i64,
    ) -> Step<Self::Course, P::Event> {
        step::<P>(course, (*key).into(), input.clone(), now_micros)
    }

    fn given(
        course: &Self::Course,
        said: &P::Event,
        now_micros: i64,
    ) -> Option<Step<Self::Course, P::Event>> {
        let (key, _state) = course.as_ref()?;
        Some(step::<P>(course, *key, P::given(said)?, now_micros))
    }

    fn shown(course: &Self::Course) -> String {
        let fresh = P::State::default();
        word(&format!("{:?}", course.as_ref().map_or(&fresh, |(_key, state)| state)))
    }
}

/// The name of a state, without what only one key has.
fn word(state: &str) -> String {
    state.chars().take_while(|c| c.is_alphanumeric()).collect()
}

fn step<P: KeyedService>(
    course: &Option<(Uuid, P::State)>,
    key: Uuid,
    input: P::Input,
    now_micros: i64,
) -> Step<Option<(Uuid, P::State)>, P::Event> {
    let fresh = P::State::default();
    let state = course.as_ref().map_or(&fresh, |(_key, state)| state);
    let Decision { state, events, .. } = P::decide(key.into(), state, input, now_micros);
    Step { course: Some((key, state)), said: events }
}

#[cfg(test)]
mod tests;
