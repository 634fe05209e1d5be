//! What must be true once nothing is under way: every order has ended, the books agree, and each order's history
//! matches what was published.

use std::collections::BTreeSet;

use chassis::model::Fact;
use events::{CatalogueEvent, Events, OrderEvent};

use super::{Saga, World, sku};

impl World {
    /// What is wrong once nothing is under way.
    pub fn judge(&self) -> Vec<String> {
        let mut wrong = self.violations.clone();
        let (mut kept, mut completed) = (0, 0);
        for saga in &self.sagas {
            let state = self.fleet.order_state(saga.id);
            wrong.extend(self.wrong_with_an_end(saga, state));
            wrong.extend(self.wrong_with_a_history(saga));
            kept += saga.captured - saga.refunded;
            completed += if state == order::domain::State::Completed { saga.total } else { 0 };
        }
        if kept != completed {
            wrong.push(format!("{kept} was kept for orders of {completed}"));
        }
        if !self.fleet.order.rows().strangers.is_empty() {
            wrong.push("order was told of orders that nobody placed".to_owned());
        }
        wrong.extend(self.wrong_with_the_shelf());
        wrong
    }

    fn wrong_with_an_end(&self, saga: &Saga, state: order::domain::State) -> Vec<String> {
        let id = saga.id;
        let (expected, returned) = match state {
            order::domain::State::Completed => ((0, saga.total, 0), false),
            order::domain::State::Returned => ((0, saga.total, saga.total), true),
            order::domain::State::Cancelled { .. } => ((0, 0, 0), false),
            state => return vec![format!("{id} never ends: {state:?}, {}", self.fleet.states(id))],
        };
        let mut wrong = Vec::new();
        let money = (saga.held, saga.captured, saga.refunded);
        if money != expected {
            let what = "its money (held, captured, refunded)";
            wrong.push(format!("{id} is {state:?}, {what} {money:?}"));
        }
        let goods = self.fleet.goods(id);
        let fits = match goods {
            inventory::domain::State::Deducted { .. } => state == order::domain::State::Completed,
            inventory::domain::State::Returned => returned,
            inventory::domain::State::Rejected | inventory::domain::State::Released => {
                matches!(state, order::domain::State::Cancelled { .. })
            }
            inventory::domain::State::New | inventory::domain::State::Reserved { .. } => false,
        };
        if !fits {
            wrong.push(format!("{id} is {state:?}, its goods {goods:?}"));
        }
        wrong
    }

    /// The history of an order must be what order published, in the same sequence, with each answer once.
    fn wrong_with_a_history(&self, saga: &Saga) -> Option<String> {
        let order = self.fleet.order.rows().orders.get(saga.id).expect("it was placed");
        let history: Vec<&'static str> = order.history().collect();
        let (key, topic) = (saga.id.to_string(), OrderEvent::TOPIC);
        let published: Vec<&str> =
            self.published.about(topic, &key).iter().map(Fact::name).collect();
        let is_own = |name: &&str| OrderEvent::RECORDS.iter().any(|record| record.name == *name);
        let own: Vec<&str> = history.iter().copied().filter(is_own).collect();
        let about = self.published.all().filter(|fact| **fact.key() == *key);
        let told: Vec<&str> = about.map(Fact::name).collect();
        let is_told = |name: &&'static str| told.contains(name);
        let once = history.iter().collect::<BTreeSet<_>>().len() == history.len();
        let agree = own == published && once && history.iter().all(is_told);
        (!agree).then(|| format!("{key}: the history is {history:?}, published was {published:?}"))
    }

    fn wrong_with_the_shelf(&self) -> Option<String> {
        let sku = sku();
        let item = self.fleet.inventory.rows().stock.get(&sku).expect("it was listed");
        let conserved = item.free + item.reserved + item.shipped == self.units;
        if !conserved || item.free < 0 || item.reserved != 0 || item.shipped < 0 {
            return Some(format!("{item:?} of {} units", self.units));
        }
        // Whatever came last, and however late: the newest price counts.
        let facts = self.published.about(CatalogueEvent::TOPIC, sku.as_str());
        let newest = facts.iter().rfind(|fact| fact.name() == "StockItemChanged");
        let newest = newest.map(Fact::sequence);
        let listed = self.fleet.order.rows().prices.listed().get(&sku).map(|price| price.sequence);
        (listed != newest).then(|| format!("order has price {listed:?}, the newest is {newest:?}"))
    }

    /// The states of all sagas and everything that was published, to see whether something changes them.
    pub fn states(&self) -> String {
        let states = self.sagas.iter().map(|saga| {
            format!("{} {} {}\n", self.fleet.states(saga.id), saga.captured, saga.refunded)
        });
        let shelf = self.fleet.inventory.rows().stock.get(&sku());
        format!("{}{shelf:?}\n{}", states.collect::<String>(), self.published.told())
    }
}
