//! The orders that were seen last. Bounded, because a service runs for years.

use std::collections::{HashMap, VecDeque};

use uuid::Uuid;

/// Some seconds of the highest load, which is longer than a call and its repetitions take.
pub(super) const CAPACITY: usize = 65_536;

/// The orders that were seen last, oldest first out.
#[derive(Debug)]
pub(super) struct Recent<T> {
    orders: HashMap<Uuid, T>,
    arrivals: VecDeque<Uuid>,
}

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self { orders: HashMap::new(), arrivals: VecDeque::new() }
    }
}

impl<T> Recent<T> {
    pub(super) fn get(&self, order: Uuid) -> Option<&T> {
        self.orders.get(&order)
    }

    pub(super) fn put(&mut self, order: Uuid, value: T) {
        if self.orders.insert(order, value).is_some() {
            return;
        }
        self.arrivals.push_back(order);
        if self.arrivals.len() > CAPACITY
            && let Some(oldest) = self.arrivals.pop_front()
        {
            self.orders.remove(&oldest);
        }
    }
}
