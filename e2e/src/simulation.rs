//! The saga without servers: all four services as they ship, each one replica in memory, a bag of messages, and a
//! seed that picks, duplicates, delays and reorders them. What a service publishes reaches the others through the
//! subscriptions that they register. One seed is one run, always the same.

mod exploration;
mod fleet;
mod judge;
mod messages;
mod outside;
mod published;

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use chassis::Service;
use chassis::model::{Done, Fact};
use events::{Money, OrderId, Sku, StockAdjusted, WarehouseEvent};
use inventory::Inventory;
use order::{OrderInput, PlaceOrder, Reply, Wanted};
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use uuid::Uuid;

pub use exploration::{Exploration, Luck, explore};
pub use fleet::SERVICES;
use fleet::{Fleet, Reader};
pub use messages::Message;
use messages::lane;
use published::Published;

/// All orders of a run want units of this item.
const SKU: &str = "unit";
const PRICE: i64 = 100;
/// The time of every decision: none may depend on it.
const NOW: i64 = 1_790_000_000_000_000;

/// The most orders in one run: more would only make each run longer.
const ORDERS_MAX: usize = 8;

/// The fleet before anything happens. Every run begins with a copy.
static FLEET: LazyLock<Fleet> =
    LazyLock::new(|| Fleet::new(&(0..ORDERS_MAX).map(order_id).collect::<Vec<_>>()));

/// What may go wrong in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chances {
    /// Whether messages of one topic and key may overtake each other, as a replayed dead letter does.
    pub reorder_within_topic: bool,
    /// How many of a hundred messages are delivered again, at any later moment.
    pub duplicates_percent: u32,
}

/// One order, and what the outside world did for it. Its rows are in the services.
#[derive(Debug, Clone)]
struct Saga {
    id: OrderId,
    total: i64,
    card_is_good: bool,
    /// Whether the provider has authorized: it does so once, however often it is asked.
    authorized: bool,
    /// What the provider has done by its own books.
    held: i64,
    captured: i64,
    refunded: i64,
    /// The carrier's word, once it has given it.
    carrier: Option<shipping::domain::Input>,
    carrier_accepts: bool,
}

/// A run.
#[derive(Clone)]
pub struct World {
    fleet: Fleet,
    sagas: Vec<Saga>,
    /// What customers asked for.
    requests: Vec<Arc<PlaceOrder>>,
    units: i64,
    bag: Vec<Message>,
    random: SmallRng,
    chances: Chances,
    /// How often each thing happened, so that a run that proves nothing is noticed.
    pub seen: HashMap<&'static str, u64>,
    published: Published,
    /// Everything that was delivered, except what customers and the clock asked.
    delivered: Vec<Message>,
    /// What was wrong at the moment it happened.
    violations: Vec<String>,
}

fn sku() -> Sku {
    Sku::new(SKU.to_owned()).expect("the name is a SKU")
}

/// Numbers replace random ids.
fn order_id(number: usize) -> OrderId {
    OrderId(Uuid::from_u128(number as u128 + 1))
}

impl World {
    /// Orders that compete for units.
    pub fn new(seed: u64, orders: usize, chances: Chances) -> Self {
        let mut random = SmallRng::seed_from_u64(seed);
        let units = random.random_range(0..=(orders as i64 * 2));
        let mut world = World::empty(units, orders, random, chances);
        for _order in 0..orders {
            let quantity = world.random.random_range(1..=3);
            let card_is_good = world.random.random_bool(0.8);
            let carrier_accepts = world.random.random_bool(0.8);
            world.place(quantity, card_is_good, carrier_accepts);
        }
        world
    }

    /// An item that is listed and counted, and room for orders.
    fn empty(units: i64, orders: usize, random: SmallRng, chances: Chances) -> Self {
        assert!(orders <= ORDERS_MAX, "a run has at most {ORDERS_MAX} orders");
        let mut world = World {
            fleet: FLEET.clone(),
            sagas: Vec::new(),
            requests: Vec::new(),
            units,
            bag: Vec::new(),
            random,
            chances,
            seen: HashMap::new(),
            published: Published::default(),
            delivered: Vec::new(),
            violations: Vec::new(),
        };
        let price = Money::new(PRICE, "EUR".parse().expect("EUR is a currency"));
        let listed = inventory::Input::Set { sku: sku(), name: SKU.to_owned(), price };
        let done = world.fleet.inventory.decide(&listed);
        world.follow(done);
        if units > 0 {
            world.deliver_and_keep(Message::Record(Reader::Inventory, counted(units)));
        }
        // Order knows the price before the first customer comes.
        while let Some(message) = world.bag.pop() {
            world.deliver_and_keep(message);
        }
        world
    }

    fn place(&mut self, quantity: i32, card_is_good: bool, carrier_accepts: bool) {
        let number = self.sagas.len();
        let place = Arc::new(PlaceOrder {
            order_id: order_id(number),
            customer_id: "c".to_owned(),
            lines: vec![Wanted { sku: sku(), quantity }],
            destination: "DE".to_owned(),
            payment_token: "tok".to_owned(),
            currency: None,
            key: number.to_string().into(),
            fingerprint: [0; 32],
        });
        self.sagas.push(Saga {
            id: order_id(number),
            total: PRICE * i64::from(quantity),
            card_is_good,
            authorized: false,
            held: 0,
            captured: 0,
            refunded: 0,
            carrier: None,
            carrier_accepts,
        });
        self.requests.push(Arc::clone(&place));
        self.request(place);
    }

    fn request(&mut self, place: Arc<PlaceOrder>) {
        let done = self.fleet.order.decide(&order::Input::Place(place));
        if let Reply::NotPlaced(rejection) = &done.reply {
            self.violations.push(format!("an order was rejected: {rejection}"));
        }
        self.follow(done);
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
            self.deliver_and_keep(message);
        }
    }

    /// Customers send back some of what they got.
    pub fn send_back(&mut self) {
        for number in 0..self.sagas.len() {
            if self.random.random_bool(0.5) {
                self.deliver(Message::ToOrder(number, order::domain::Input::Return));
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
        self.deliver(Message::ToOrder(number, input));
    }

    /// Any message; or, where a topic keeps the order of a key, any that is not behind an earlier one of
    /// its topic, key and reader.
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

    /// Delivers a message and keeps it, to deliver it again after the end.
    fn deliver_and_keep(&mut self, message: Message) {
        self.delivered.push(message.clone());
        self.deliver(message);
    }

    fn deliver(&mut self, message: Message) {
        match message {
            Message::Record(Reader::Order, fact) => {
                let done = self.fleet.order.hear(&fact);
                self.order(done);
            }
            Message::Record(Reader::Inventory, fact) => self.inventory(&fact),
            Message::Record(Reader::Payment, fact) => {
                let number = number_of(&fact).expect("it is about an order");
                self.payment(number, |fleet| fleet.payment.hear(&fact));
            }
            Message::Record(Reader::Shipping, fact) => {
                let number = number_of(&fact).expect("it is about an order");
                let done = self.fleet.shipping.hear(&fact);
                self.shipping(number, done);
            }
            Message::ToOrder(number, input) => {
                let step = order::Input::Order(OrderInput::of(order_id(number), input));
                let done = self.fleet.order.decide(&step);
                self.order(Some(done));
            }
            Message::ToPayment(number, input) => {
                let input = payment::Input::to(order_id(number), input);
                self.payment(number, |fleet| Some(fleet.payment.decide(&input)));
            }
            Message::ToShipping(number, input) => {
                let input = shipping::Input::to(order_id(number), input);
                let done = self.fleet.shipping.decide(&input);
                self.shipping(number, Some(done));
            }
            Message::Provider(number, call) => self.provider(number, call),
            Message::Carrier(number, call) => self.carrier(number, &call),
        }
    }

    fn order(&mut self, done: Option<Done<order::Orders>>) {
        let Some(done) = done else { return };
        if matches!(done.reply, Reply::Rejected(_)) {
            self.note("commands rejected");
        }
        self.follow(done);
    }

    fn inventory(&mut self, fact: &Fact) {
        use inventory::domain::State;
        let order = number_of(fact).map(order_id);
        let is = |world: &World, state| order.is_some_and(|id| *world.fleet.goods(id) == state);
        let was_new = is(self, State::New);
        let Some(done) = self.fleet.inventory.hear(fact) else { return };
        if was_new && is(self, State::Released) {
            self.note("tombstones of inventory");
        }
        self.follow::<Inventory>(done);
    }

    fn payment(
        &mut self,
        number: usize,
        hear: impl FnOnce(&mut Fleet) -> Option<Done<payment::Payments>>,
    ) {
        use payment::domain::State;
        let was_new = *self.fleet.money(order_id(number)) == State::New;
        let Some(done) = hear(&mut self.fleet) else { return };
        if was_new && *self.fleet.money(order_id(number)) == State::Voided {
            self.note("tombstones of payment");
        }
        let calls = self.follow(done);
        self.bag.extend(calls.into_iter().map(|call| Message::Provider(number, call)));
    }

    fn shipping(&mut self, number: usize, done: Option<Done<shipping::Shipments>>) {
        let Some(done) = done else { return };
        let calls = self.follow(done);
        self.bag.extend(calls.into_iter().map(|call| Message::Carrier(number, call)));
    }

    /// Publishes the result of a decision: each fact is sent to every service that hears it. Returns the calls to
    /// make.
    fn follow<S: Service>(&mut self, done: Done<S>) -> Vec<S::Call> {
        if let Some(refusal) = done.refusal {
            self.violations.push(format!("{} refused an event: {refusal}", S::NAME));
        }
        for fact in done.facts {
            self.note(fact.name());
            if fact.name() == DISPATCHED {
                self.check_dispatch(number_of(&fact).expect("it is about an order"));
            }
            let readers = self.fleet.readers(&fact);
            self.bag.extend(readers.map(|reader| Message::Record(reader, fact.clone())));
            self.violations.extend(self.published.add(fact));
        }
        done.calls
    }

    /// Whether a service has published anything in this run.
    pub fn has_published(&self, service: &str) -> bool {
        self.published.all().any(|fact| fact.source() == service)
    }

    fn note(&mut self, what: &'static str) {
        *self.seen.entry(what).or_default() += 1;
    }

    /// Delivers everything once more, as a redelivery under fresh ids would, including requests, and everything
    /// that follows from it.
    pub fn redeliver(&mut self) {
        for place in self.requests.clone() {
            self.request(place);
        }
        for message in std::mem::take(&mut self.delivered) {
            self.deliver(message);
        }
        while let Some(message) = self.bag.pop() {
            self.deliver(message);
        }
    }
}

/// The record by which shipping says that the parcel is on its way.
const DISPATCHED: &str = "ShipmentDispatched";

/// The keys of all possible orders.
static KEYS: LazyLock<Vec<String>> =
    LazyLock::new(|| (0..ORDERS_MAX).map(|number| order_id(number).to_string()).collect());

/// The number of the order that a fact is about.
fn number_of(fact: &Fact) -> Option<usize> {
    KEYS.iter().position(|key| **key == **fact.key())
}

/// A warehouse counted units.
fn counted(units: i64) -> Fact {
    let event = WarehouseEvent::from(StockAdjusted {
        adjustment_id: Uuid::from_u128(1),
        sku: sku(),
        delta: units,
        note: String::new(),
        occurred_at: NOW,
    });
    Fact::new("warehouse", 1, &event)
}
