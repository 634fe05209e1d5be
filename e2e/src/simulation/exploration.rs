//! Every path that one order can take, breadth first: messages under way arrive in any order, one of them
//! arrives twice, the customer or the deadline interferes at any moment, and a completed order may be
//! returned. Chance has no part in it: what is not found here does not happen to a single order.

use std::collections::{BTreeSet, HashSet, VecDeque};

use order::domain::{Input, State};
use rand::SeedableRng;
use rand::rngs::SmallRng;

use super::{Chances, Message, World};

/// Far more than one order has. A change of the rules that exceeds this should be looked at.
const STATES_MAX: usize = 2_000_000;

/// What the outside answers, the first time and always.
#[derive(Debug, Clone, Copy)]
pub struct Luck {
    pub in_stock: bool,
    pub card_is_good: bool,
    pub carrier_accepts: bool,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Exploration {
    /// How many different states the whole has.
    pub states: usize,
    /// How the order ends where nothing is under way any more.
    pub ends: BTreeSet<String>,
    /// What happened on some path.
    pub seen: BTreeSet<&'static str>,
    /// What is wrong, and on which path.
    pub wrong: Option<String>,
}

/// A point on a path.
#[derive(Clone)]
struct Point {
    world: World,
    /// A message may still arrive twice.
    duplicates: bool,
    /// Nobody has asked to cancel the order yet.
    interferes: bool,
    /// The customer has not sent it back yet.
    returns: bool,
    /// The step that led here, in `steps`.
    step: Option<usize>,
}

/// Steps, each with the step before it, to report the path.
type Steps = Vec<(Option<usize>, String)>;

/// Takes every path of one order, up to the first that goes wrong.
pub fn explore(luck: Luck) -> Exploration {
    let mut found = Exploration::default();
    let (mut known, mut steps) = (HashSet::new(), Steps::new());
    let mut waiting = VecDeque::from([Point::first(luck)]);
    while let Some(point) = waiting.pop_front() {
        if let Some(wrong) = point.look(&mut found) {
            found.wrong = Some(format!("{luck:?}: {wrong}, after\n{}", way(&steps, point.step)));
            return found;
        }
        for (step, mut next) in point.steps() {
            if known.insert(next.key()) {
                assert!(known.len() < STATES_MAX, "{luck:?}: more than {STATES_MAX} states");
                steps.push((point.step, step));
                next.step = Some(steps.len() - 1);
                waiting.push_back(next);
            }
        }
    }
    found.states = known.len();
    found
}

fn way(steps: &Steps, mut last: Option<usize>) -> String {
    let mut told = Vec::new();
    while let Some(index) = last {
        let (before, step) = &steps[index];
        told.push(step.as_str());
        last = *before;
    }
    told.reverse();
    told.join("\n")
}

impl Point {
    fn first(luck: Luck) -> Self {
        // Neither is used: the next steps are enumerated, not drawn.
        let (random, chances) = (
            SmallRng::seed_from_u64(0),
            Chances { reorder_within_topic: true, duplicates_percent: 0 },
        );
        // Two units: with a single one, the catalogue would be part of every path.
        let mut world = World::empty(2 * i64::from(luck.in_stock), 1, random, chances);
        world.place(1, luck.card_is_good, luck.carrier_accepts);
        Point { world, duplicates: true, interferes: true, returns: true, step: None }
    }

    /// Notes what is here, and returns what is wrong with it.
    fn look(&self, found: &mut Exploration) -> Option<String> {
        found.seen.extend(self.world.seen.keys());
        if !self.world.bag.is_empty() {
            return self.world.violations.first().cloned();
        }
        found.ends.insert(format!("{:?}", self.order()));
        self.world.judge().into_iter().next()
    }

    /// Everything that can happen next.
    fn steps(&self) -> Vec<(String, Point)> {
        let mut steps = Vec::new();
        let mut go = |what: &str, message: &Message, change: &dyn Fn(&mut Point)| {
            let mut next = self.clone();
            change(&mut next);
            next.world.deliver(message.clone());
            steps.push((format!("{what}{message:?}"), next));
        };
        for (index, message) in self.world.bag.iter().enumerate() {
            go("", message, &|next| drop(next.world.bag.remove(index)));
            if self.duplicates {
                go("a first time: ", message, &|next| next.duplicates = false);
            }
        }
        if self.interferes {
            for input in [Input::Cancel, Input::Overdue] {
                go("", &Message::ToOrder(0, input), &|next| next.interferes = false);
            }
        }
        if self.returns && self.order() == State::Completed {
            go("", &Message::ToOrder(0, Input::Return), &|next| next.returns = false);
        }
        steps
    }

    /// The state of the one order.
    fn order(&self) -> State {
        self.world.fleet.order_state(self.world.sagas[0].id)
    }

    /// What distinguishes this point from others: everything but how it was reached. The order's history is left
    /// out for that reason: it is judged on the first path to each point.
    fn key(&self) -> String {
        let Point { world, duplicates, interferes, returns, step: _ } = self;
        let mut bag: Vec<String> = world.bag.iter().map(|message| format!("{message:?}")).collect();
        bag.sort_unstable();
        let wrong = world.violations.len();
        let left = (duplicates, interferes, returns, wrong);
        format!("{left:?} {} {:?} {bag:?}", world.states(), world.sagas)
    }
}
