//! The saga without servers: the shipped decision functions of all four services, a bag of messages, and
//! a seed that picks, duplicates, delays and reorders them. One seed is one run, always the same.

mod exploration;
mod judge;
mod messages;
mod outside;

use std::collections::{BTreeMap, HashMap};

use chassis::Hears;
use events::{Money, OrderEvent, OrderId, OrderLine, Sku};
use inventory::Inventory;
use inventory::domain::Item;
use payment::Payments;
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use shipping::Shipments;
use uuid::Uuid;

pub use exploration::{Exploration, Luck, explore};
pub use messages::Message;
use messages::{answer_of_inventory, answer_of_payment, answer_of_shipping, lane, name};

/// All orders of a run want units of this item.
const SKU: &str = "unit";
const PRICE: i64 = 100;

/// What may go wrong in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chances {
    /// Whether messages of one topic and key may overtake each other, as a replayed dead letter does.
    pub reorder_within_topic: bool,
    /// How many of a hundred messages are delivered again, at any later moment.
    pub duplicates_percent: u32,
}

/// The rows of one order, in all four services, and what the outside world did for it.
#[derive(Debug, Clone)]
pub struct Saga {
    pub facts: order::domain::Facts,
    pub order: order::domain::State,
    pub inventory: inventory::domain::State,
    pub payment: payment::domain::State,
    pub shipping: shipping::domain::State,
    /// Whether the card is good, and what the provider has done by its own books.
    card_is_good: bool,
    /// Whether the provider has authorised: it does so once, however often it is asked.
    authorized: bool,
    pub held: i64,
    pub captured: i64,
    pub refunded: i64,
    /// The carrier's word, once it has given it.
    carrier: Option<shipping::domain::Input>,
    carrier_accepts: bool,
}

/// A run.
#[derive(Clone)]
pub struct World {
    pub sagas: Vec<Saga>,
    pub shelf: BTreeMap<Sku, Item>,
    units: i64,
    bag: Vec<Message>,
    random: SmallRng,
    chances: Chances,
    /// How often what happened, so that a run that proves nothing is noticed.
    pub seen: HashMap<&'static str, u64>,
    /// Everything that was delivered, but for what customers and the clock asked.
    delivered: Vec<Message>,
    /// What was wrong at the moment it happened.
    pub violations: Vec<String>,
}

fn sku() -> Sku {
    Sku::new(SKU.to_owned()).expect("the name is a SKU")
}

impl World {
    /// Orders that compete for units.
    pub fn new(seed: u64, orders: usize, chances: Chances) -> Self {
        let mut random = SmallRng::seed_from_u64(seed);
        let units = random.random_range(0..=(orders as i64 * 2));
        let mut world = World::empty(units, random, chances);
        for _order in 0..orders {
            let quantity = world.random.random_range(1..=3);
            let card_is_good = world.random.random_bool(0.8);
            let carrier_accepts = world.random.random_bool(0.8);
            world.place(quantity, card_is_good, carrier_accepts);
        }
        world
    }

    fn empty(units: i64, random: SmallRng, chances: Chances) -> Self {
        let item = Item {
            name: "unit".to_owned(),
            price: Money::new(PRICE, "EUR".parse().expect("EUR is a currency")),
            free: units,
            reserved: 0,
            shipped: 0,
        };
        World {
            sagas: Vec::new(),
            shelf: BTreeMap::from([(sku(), item)]),
            units,
            bag: Vec::new(),
            random,
            chances,
            seen: HashMap::new(),
            delivered: Vec::new(),
            violations: Vec::new(),
        }
    }

    fn place(&mut self, quantity: i32, card_is_good: bool, carrier_accepts: bool) {
        let number = self.sagas.len();
        let currency = "EUR".parse().expect("EUR is a currency");
        let order = order::domain::Order {
            id: OrderId(Uuid::from_u128(number as u128 + 1)),
            customer_id: "c".to_owned(),
            lines: vec![OrderLine { sku: sku(), quantity, unit_price_minor: PRICE }],
            total: Money::new(PRICE * i64::from(quantity), currency),
            destination: "DE".to_owned(),
            payment_token: "tok".to_owned(),
        };
        let (facts, state, placed) = order::domain::place(order, 0);
        self.sagas.push(Saga {
            facts,
            order: state,
            inventory: inventory::domain::State::New,
            payment: payment::domain::State::New,
            shipping: shipping::domain::State::New,
            card_is_good,
            authorized: false,
            held: 0,
            captured: 0,
            refunded: 0,
            carrier: None,
            carrier_accepts,
        });
        self.tell(number, &OrderEvent::from(placed));
    }

    /// Runs until nothing is under way. Customers and deadlines interfere while it lasts.
    pub fn run(&mut self) {
        while !self.bag.is_empty() {
            if self.random.random_bool(0.05) {
                self.interfere();
            }
            let index = self.pick();
            let message = match self.random.random_range(0..100) < self.chances.duplicates_percent {
                true => self.bag[index].clone(),
                false => self.bag.remove(index),
            };
            self.delivered.push(message.clone());
            self.deliver(message);
        }
    }

    /// Customers send back some of what they got.
    pub fn send_back(&mut self) {
        for number in 0..self.sagas.len() {
            if self.random.random_bool(0.5) {
                self.command(number, order::domain::Input::Return);
            }
        }
        self.run();
    }

    fn interfere(&mut self) {
        let number = self.random.random_range(0..self.sagas.len());
        let inputs = [
            order::domain::Input::Cancel,
            order::domain::Input::Overdue,
            order::domain::Input::Return,
        ];
        let input = *inputs.choose(&mut self.random).expect("there are inputs");
        self.command(number, input);
    }

    fn command(&mut self, number: usize, input: order::domain::Input) {
        self.deliver(Message::ToOrder(number, input));
    }

    /// Any message; or, where a topic keeps the order of a key, any that no earlier one of its topic,
    /// key and reader stands before.
    fn pick(&mut self) -> usize {
        let index = self.random.random_range(0..self.bag.len());
        if self.chances.reorder_within_topic {
            return index;
        }
        let place = lane(&self.bag[index]);
        self.bag
            .iter()
            .position(|message| place.is_some() && lane(message) == place)
            .unwrap_or(index)
    }

    /// Every event reaches every service that hears its topic, by the mapping that ships.
    fn tell(&mut self, number: usize, event: &OrderEvent) {
        let heard = Inventory::hear(event.clone(), 0);
        if let Some(inventory::Input::Order { step, .. }) = heard {
            self.bag.push(Message::ToInventory(number, step));
        }
        if let Some(input) = Payments::hear(event.clone(), 0) {
            self.bag.push(Message::ToPayment(number, input.input));
        }
        if let Some(input) = Shipments::hear(event.clone(), 0) {
            self.bag.push(Message::ToShipping(number, input.input));
        }
    }

    fn deliver(&mut self, message: Message) {
        match message {
            Message::ToOrder(number, input) => self.order(number, input),
            Message::ToInventory(number, input) => self.inventory(number, input),
            Message::ToPayment(number, input) => self.payment(number, input),
            Message::ToShipping(number, input) => self.shipping(number, input),
            Message::Provider(number, call) => self.provider(number, call),
            Message::Carrier(number, call) => self.carrier(number, &call),
        }
    }

    fn order(&mut self, number: usize, input: order::domain::Input) {
        let saga = &mut self.sagas[number];
        let Ok(decision) = order::domain::decide(&saga.facts, saga.order, input, 0) else {
            return self.note("commands rejected");
        };
        saga.order = decision.state;
        for event in &decision.events {
            self.note(name(event));
            self.tell(number, event);
        }
    }

    fn inventory(&mut self, number: usize, input: inventory::domain::Input) {
        let saga = &mut self.sagas[number];
        let (id, was_new) = (saga.facts.id, saga.inventory == inventory::domain::State::New);
        let decision = inventory::domain::decide(id, &saga.inventory, input, &mut self.shelf, 0);
        saga.inventory = decision.state;
        let tombstone = was_new && saga.inventory == inventory::domain::State::Released;
        if tombstone {
            self.note("tombstones of inventory");
        }
        for event in decision.events {
            self.bag.push(Message::ToOrder(number, answer_of_inventory(&event)));
        }
    }

    fn payment(&mut self, number: usize, input: payment::domain::Input) {
        let saga = &mut self.sagas[number];
        let was_new = saga.payment == payment::domain::State::New;
        let decision = payment::domain::decide(saga.facts.id, &saga.payment, input, 0);
        saga.payment = decision.state;
        if was_new && saga.payment == payment::domain::State::Voided {
            self.note("tombstones of payment");
        }
        self.bag.extend(decision.calls.into_iter().map(|call| Message::Provider(number, call)));
        for event in decision.events {
            self.bag.push(Message::ToOrder(number, answer_of_payment(&event)));
        }
    }

    fn shipping(&mut self, number: usize, input: shipping::domain::Input) {
        let saga = &mut self.sagas[number];
        let decision = shipping::domain::decide(saga.facts.id, &saga.shipping, input, 0);
        saga.shipping = decision.state;
        self.bag.extend(decision.calls.into_iter().map(|call| Message::Carrier(number, call)));
        for event in decision.events {
            self.check_dispatch(number, &event);
            self.bag.push(Message::ToOrder(number, answer_of_shipping(&event)));
        }
    }

    fn note(&mut self, what: &'static str) {
        *self.seen.entry(what).or_default() += 1;
    }

    /// Delivers everything once more, as a redelivery under fresh ids would.
    pub fn redeliver(&mut self) {
        for message in std::mem::take(&mut self.delivered) {
            self.deliver(message);
        }
        self.bag.clear();
    }
}
