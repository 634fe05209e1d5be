//! The provider and the carrier of the simulation, with books of their own.

use events::{DeclineReason, RefusalReason};

use super::{Message, World};

impl World {
    /// The provider keeps books of its own: the same call twice moves money once.
    pub(super) fn provider(&mut self, number: usize, call: payment::domain::Call) {
        let saga = &mut self.sagas[number];
        let total = saga.total;
        let outcome = match call {
            payment::domain::Call::Authorize { .. } if !saga.card_is_good => {
                payment::domain::Input::Declined { reason: DeclineReason::CardDeclined }
            }
            payment::domain::Call::Authorize { .. } => {
                if !saga.authorized {
                    (saga.authorized, saga.held) = (true, total);
                }
                payment::domain::Input::Authorized { authorization: "a".to_owned() }
            }
            payment::domain::Call::Void { .. } => {
                saga.held = 0;
                payment::domain::Input::Voided
            }
            payment::domain::Call::Capture { .. } => {
                if saga.captured == 0 {
                    (saga.held, saga.captured) = (0, total);
                }
                payment::domain::Input::Captured
            }
            payment::domain::Call::Refund { .. } => {
                saga.refunded = saga.captured;
                payment::domain::Input::Refunded
            }
        };
        let parcel = self.fleet.parcel(saga.id);
        if saga.captured > 0 && !matches!(parcel, shipping::domain::State::Dispatched { .. }) {
            self.violations.push(format!("{number}: captured without a dispatch"));
        }
        self.bag.push(Message::ToPayment(number, outcome));
    }

    /// The carrier decides once, on the call that comes first.
    pub(super) fn carrier(&mut self, number: usize, call: &shipping::domain::Call) {
        let saga = &mut self.sagas[number];
        let accepts = saga.carrier_accepts;
        let word = saga.carrier.get_or_insert_with(|| match (call, accepts) {
            (shipping::domain::Call::Cancel { .. }, _) => shipping::domain::Input::Cancelled,
            (shipping::domain::Call::Book { .. }, true) => {
                shipping::domain::Input::Dispatched { tracking: "t".to_owned() }
            }
            (shipping::domain::Call::Book { .. }, false) => {
                shipping::domain::Input::Refused { reason: RefusalReason::DestinationNotServed }
            }
        });
        let word = word.clone();
        if word == shipping::domain::Input::Cancelled {
            self.note("cancellations that won at the carrier");
        }
        self.bag.push(Message::ToShipping(number, word));
    }

    /// What must be true at the moment of a dispatch.
    pub(super) fn check_dispatch(&mut self, number: usize) {
        let id = self.sagas[number].id;
        let money = self.fleet.money(id);
        let authorized = matches!(money, payment::domain::State::Authorized { .. });
        let goods = self.fleet.goods(id);
        let reserved = matches!(goods, inventory::domain::State::Reserved { .. });
        if !authorized || !reserved {
            self.violations.push(format!("{number}: dispatched without authorization or goods"));
        }
        let state = self.fleet.order_state(id);
        if matches!(state, order::domain::State::CancellationRequested { .. }) {
            self.note("cancellations that lost to the carrier");
        }
    }
}
