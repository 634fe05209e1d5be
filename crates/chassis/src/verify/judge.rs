//! Whether decisions made again lead to what was said: a search through the orders of arrival that each topic allows.
//! Pure; separate from `history`, which reads topics.

use std::collections::HashSet;

use super::{Step, Verified};

/// Steps that are tried for one key. A saga has some twenty events, of which few can change places; where this is not
/// enough, the key is not judged.
const STEPS_MAX: usize = 20_000;

/// What a service was told about a key.
pub(super) struct Heard<S: Verified> {
    pub(super) input: S::Input,
    /// The record's name.
    pub(super) name: String,
    pub(super) topic: String,
    /// `source/id`, by which it is a cause.
    pub(super) id: String,
    /// By the clock of whoever wrote it, in milliseconds since the Unix epoch.
    pub(super) at_ms: i64,
}

/// What a service said about a key.
pub(super) struct Said<S: Verified> {
    pub(super) event: S::Said,
    /// The event that it was caused by, if any was.
    pub(super) cause: Option<String>,
    /// By the service's clock, in microseconds since the Unix epoch: with it the same decision says the same.
    pub(super) at_micros: i64,
}

/// What became of an input.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Line {
    /// The topic; none for what no event brought.
    pub(crate) topic: Option<String>,
    /// The name of the event; of what no event brought, that of the event that tells of it.
    pub(crate) heard: String,
    pub(crate) before: String,
    pub(crate) after: String,
    pub(crate) said: Vec<&'static str>,
}

/// What no order of arrival explains.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub(crate) struct Difference {
    pub(crate) state: String,
    /// What was heard in this state, or nothing where all was.
    pub(crate) heard: Option<String>,
    /// What this build says.
    pub(crate) says: Vec<&'static str>,
    /// What was said.
    pub(crate) said: Option<&'static str>,
}

/// The judgement of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// This order of arrival leads to what was said.
    Same(Vec<Line>),
    /// None does. The lines lead to where they part.
    Different(Vec<Line>, Difference),
    /// Too many orders are possible.
    TooMany,
}

/// Judges a key: by topic and partition what was heard of it, and what was said.
pub(super) fn judge<S: Verified>(heard: &[Vec<Heard<S>>], said: &[Said<S>]) -> Verdict {
    let mut search =
        Search { heard, said, seen: HashSet::new(), path: Vec::new(), furthest: None, steps: 0 };
    let begun = Place { heard: vec![0; heard.len()], said: 0 };
    if search.from(begun, S::Course::default()) {
        return Verdict::Same(search.path);
    }
    match search.furthest {
        Some(Furthest { path, difference, .. }) if search.steps < STEPS_MAX => {
            Verdict::Different(path, difference)
        }
        _exhausted => Verdict::TooMany,
    }
}

/// How far a search is: the next event of each topic, and the next that was said.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Place {
    heard: Vec<usize>,
    said: usize,
}

/// A step that can be next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Candidate {
    /// What no event brought.
    Given,
    /// The next event of this topic and partition.
    Heard(usize),
}

struct Search<'a, S: Verified> {
    heard: &'a [Vec<Heard<S>>],
    said: &'a [Said<S>],
    /// Places from which nothing led to the end, with the course there.
    seen: HashSet<(Place, String)>,
    path: Vec<Line>,
    furthest: Option<Furthest>,
    steps: usize,
}

/// The place that came furthest, and what did not fit there.
struct Furthest {
    consumed: usize,
    path: Vec<Line>,
    difference: Difference,
}

impl<S: Verified> Search<'_, S> {
    /// Whether an order of what is left leads to what is still to be said.
    fn from(&mut self, place: Place, course: S::Course) -> bool {
        let is_over = self.heads(&place).is_empty() && place.said == self.said.len();
        if is_over {
            return true;
        }
        if self.steps == STEPS_MAX || !self.seen.insert((place.clone(), format!("{course:?}"))) {
            return false;
        }
        self.steps += 1;
        let now = self.said.get(place.said).map_or(0, |said| said.at_micros);
        let next = self.said.get(place.said).map(|said| &said.event);
        for candidate in self.candidates(&place) {
            let goes_on = match candidate {
                Candidate::Heard(topic) => {
                    let head = &self.heard[topic][place.heard[topic]];
                    let step = S::again(&course, &head.input, next, now);
                    let heard = (Some(head.topic.clone()), head.name.clone());
                    let mut after = place.clone();
                    after.heard[topic] += 1;
                    self.goes_on(after, &course, step, heard)
                }
                Candidate::Given => next.is_some_and(|said| {
                    let heard = (None, name(said).to_owned());
                    // What says nothing is no explanation for anything.
                    let step = S::given(&course, said, now).filter(|step| !step.said.is_empty());
                    step.is_some_and(|step| self.goes_on(place.clone(), &course, step, heard))
                }),
            };
            if goes_on {
                return true;
            }
        }
        if self.heads(&place).is_empty() {
            let nothing = Step { course: course.clone(), said: Vec::new() };
            self.note(&place, &course, None, &nothing);
        }
        false
    }

    /// Takes a step, if it says what was said next, and goes on from there.
    fn goes_on(
        &mut self,
        mut place: Place,
        course: &S::Course,
        step: Step<S::Course, S::Said>,
        (topic, heard): (Option<String>, String),
    ) -> bool {
        let expected = self.said[place.said..].iter().map(|said| &said.event);
        let fits = step.said.len() <= self.said.len() - place.said
            && step.said.iter().eq(expected.take(step.said.len()));
        if !fits {
            self.note(&place, course, Some(heard), &step);
            return false;
        }
        place.said += step.said.len();
        self.path.push(Line {
            topic,
            heard,
            before: S::shown(course),
            after: S::shown(&step.course),
            said: step.said.iter().map(name).collect(),
        });
        if self.from(place, step.course) {
            return true;
        }
        self.path.pop();
        false
    }

    /// The topics that have something left.
    fn heads(&self, place: &Place) -> Vec<usize> {
        let left = |topic: &usize| place.heard[*topic] < self.heard[*topic].len();
        (0..self.heard.len()).filter(left).collect()
    }

    /// What can come next, the likeliest first: the event that caused what was said next, then by age. What no event
    /// brought came when that was said.
    fn candidates(&self, place: &Place) -> Vec<Candidate> {
        let next = self.said.get(place.said);
        let cause = next.and_then(|said| said.cause.as_deref());
        let aged = |topic: usize| {
            let head = &self.heard[topic][place.heard[topic]];
            ((cause != Some(&head.id), head.at_ms), Candidate::Heard(topic))
        };
        let mut all: Vec<_> = self.heads(place).into_iter().map(aged).collect();
        all.extend(next.map(|said| ((true, said.at_micros / 1_000), Candidate::Given)));
        all.sort_unstable();
        all.into_iter().map(|(_age, candidate)| candidate).collect()
    }

    fn note(
        &mut self,
        place: &Place,
        course: &S::Course,
        heard: Option<String>,
        step: &Step<S::Course, S::Said>,
    ) {
        let consumed = place.heard.iter().sum::<usize>() + 2 * place.said;
        if self.furthest.as_ref().is_some_and(|furthest| furthest.consumed >= consumed) {
            return;
        }
        let difference = Difference {
            state: S::shown(course),
            heard,
            says: step.said.iter().map(name).collect(),
            said: self.said.get(place.said).map(|said| name(&said.event)),
        };
        self.furthest = Some(Furthest { consumed, path: self.path.clone(), difference });
    }
}

/// The name of an event's record.
pub(super) fn name<E: language::Events>(event: &E) -> &'static str {
    E::RECORDS[event.record()].name
}
