//! What must be true once nothing is under way: every order has ended, and the books agree.

use super::World;

impl World {
    /// What is wrong once nothing is under way.
    pub fn judge(&self) -> Vec<String> {
        let mut wrong = self.violations.clone();
        let (mut kept, mut completed) = (0, 0);
        for (number, saga) in self.sagas.iter().enumerate() {
            let total = saga.facts.total.minor;
            let money = (saga.held, saga.captured, saga.refunded);
            let (expected, returned) = match saga.order {
                order::domain::State::Completed => ((0, total, 0), false),
                order::domain::State::Returned => ((0, total, total), true),
                order::domain::State::Cancelled { .. } => ((0, 0, 0), false),
                state => {
                    wrong.push(format!("{number} never ends: {state:?}, {saga:?}"));
                    continue;
                }
            };
            if money != expected {
                wrong.push(format!(
                    "{number} is {:?}, its money (held, captured, refunded) {money:?}",
                    saga.order
                ));
            }
            let goods = match &saga.inventory {
                inventory::domain::State::Deducted { .. } => {
                    saga.order == order::domain::State::Completed
                }
                inventory::domain::State::Returned => returned,
                inventory::domain::State::Rejected | inventory::domain::State::Released => {
                    matches!(saga.order, order::domain::State::Cancelled { .. })
                }
                inventory::domain::State::New | inventory::domain::State::Reserved { .. } => false,
            };
            if !goods {
                wrong.push(format!("{number} is {:?}, its goods {:?}", saga.order, saga.inventory));
            }
            kept += saga.captured - saga.refunded;
            completed += if saga.order == order::domain::State::Completed { total } else { 0 };
        }
        if kept != completed {
            wrong.push(format!("{kept} was kept for orders of {completed}"));
        }
        let item = self.shelf.values().next().expect("there is one item");
        let conserved = item.free + item.reserved + item.shipped == self.units;
        if !conserved || item.free < 0 || item.reserved != 0 || item.shipped < 0 {
            wrong.push(format!("{item:?} of {} units", self.units));
        }
        wrong
    }

    /// The states of all sagas, to see whether something changes them.
    pub fn states(&self) -> String {
        let states = self.sagas.iter().map(|saga| {
            (
                saga.order,
                &saga.inventory,
                &saga.payment,
                &saga.shipping,
                saga.captured,
                saga.refunded,
            )
        });
        format!("{:?} {:?}", states.collect::<Vec<_>>(), self.shelf)
    }
}
