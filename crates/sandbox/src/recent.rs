//! What is remembered of the orders seen last, for the in-process adapters. Bounded, because a service
//! runs for years; and lost with the process, so nothing may depend on it.

use std::collections::{HashMap, VecDeque};

use uuid::Uuid;

/// A few seconds of the highest load, which is longer than a call and its repetitions take.
const CAPACITY: usize = 65_536;

/// The orders seen last; the oldest leaves first.
#[derive(Debug)]
pub struct Recent<T> {
    orders: HashMap<Uuid, T>,
    arrivals: VecDeque<Uuid>,
}

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self { orders: HashMap::new(), arrivals: VecDeque::new() }
    }
}

impl<T> Recent<T> {
    /// What is remembered of an order.
    pub fn get(&mut self, order: Uuid) -> Option<&mut T> {
        self.orders.get_mut(&order)
    }

    /// Remembers an order, and forgets the oldest when there are too many.
    pub fn put(&mut self, order: Uuid, value: T) {
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

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::{CAPACITY, Recent};

    #[test]
    fn the_memory_is_bounded_and_forgets_the_oldest() {
        let mut recent = Recent::default();
        let ids = (0..=CAPACITY).map(|n| Uuid::from_u128(n as u128)).collect::<Vec<_>>();
        for id in &ids {
            recent.put(*id, ());
        }
        assert!(recent.get(ids[0]).is_none());
        assert!(ids[1..].iter().all(|id| recent.get(*id).is_some()));
    }
}
