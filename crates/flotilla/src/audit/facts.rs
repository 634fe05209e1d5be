//! What an audit looks at, as plain data, so that rules can be tested on made-up facts.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use uuid::Uuid;

/// Everything collected.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// Orders by id.
    pub orders: HashMap<Uuid, OrderFact>,
    /// Payments by order.
    pub payments: HashMap<Uuid, PaymentFact>,
    /// Reservations by order.
    pub reservations: HashMap<Uuid, ReservationFact>,
    /// Shipments by order.
    pub shipments: HashMap<Uuid, ShipmentFact>,
    /// Items by SKU.
    pub stock: BTreeMap<String, StockFact>,
    /// What order charges, by SKU.
    pub prices: BTreeMap<String, PriceFact>,
    /// How many events each service says it has published, by topic.
    pub published: BTreeMap<String, Counted>,
    /// What each service still has to publish.
    pub outboxes: Vec<OutboxFact>,
    /// What is on the topics, except the catalogue's.
    pub topics: Vec<TopicFact>,
    /// What is on the catalogue's.
    pub catalogue: CatalogueFact,
    /// The sandbox's own books, if it runs.
    pub ledger: Option<LedgerFact>,
    /// Payments for which an operator said what the provider did not: its books say otherwise, for a reason
    /// that is kept.
    pub payments_by_hand: BTreeSet<Uuid>,
    /// Shipments for which an operator said what the carrier did not.
    pub shipments_by_hand: BTreeSet<Uuid>,
    /// Dead letters that nobody has settled.
    pub dead_letters: i64,
    /// Services whose relay had not caught up, when the topics were read, with what their tables say.
    pub behind: BTreeSet<&'static str>,
    /// The views once more, read after everything else, if the fleet moved meanwhile: what is the same in
    /// both did not move.
    pub after: Option<Box<Facts>>,
}

impl Facts {
    /// The views as they were read last.
    pub fn latest(&self) -> &Facts {
        self.after.as_deref().unwrap_or(self)
    }

    /// Whether an order has ended, and did not move while the rest was read. Participants act only on what
    /// order says, so their rows did not move either.
    pub fn is_settled(&self, id: &Uuid) -> bool {
        let settled = |order: &&OrderFact| order.end != OrderEnd::Under;
        let Some(order) = self.orders.get(id).filter(settled) else { return false };
        self.latest().orders.get(id) == Some(order)
    }
}

/// Where an order is, as far as the rules care.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderEnd {
    /// Not ended yet.
    Under,
    /// Completed, and kept.
    Completed,
    /// Cancelled, and everything given back.
    Cancelled,
    /// Completed and returned.
    Returned,
}

/// An order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderFact {
    /// Its end.
    pub end: OrderEnd,
    /// What it costs, in minor units.
    pub total_minor: i64,
    /// How many events were published about it.
    pub sequence: i64,
}

/// Where the money of an order is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Money {
    /// A call is open.
    Moving,
    /// Set aside.
    Authorized,
    /// Never set aside, or given back.
    Nothing,
    /// Taken.
    Captured,
    /// Taken and given back.
    Refunded,
}

/// A payment.
#[derive(Debug, Clone)]
pub struct PaymentFact {
    /// Where the money is.
    pub money: Money,
    /// How much, in minor units.
    pub amount_minor: i64,
}

/// Where the goods of an order are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goods {
    /// Set aside.
    Reserved,
    /// Never set aside, or given back.
    Nothing,
    /// Gone with the order.
    Deducted,
    /// Gone and come back.
    Returned,
}

/// A reservation.
#[derive(Debug, Clone)]
pub struct ReservationFact {
    /// Where the goods are.
    pub goods: Goods,
    /// Units by SKU.
    pub lines: BTreeMap<String, i64>,
}

/// A shipment.
#[derive(Debug, Clone)]
pub struct ShipmentFact {
    /// Whether the carrier has the goods; `None` while it is being asked.
    pub dispatched: Option<bool>,
}

/// What a service says it has published on one topic.
#[derive(Debug, Clone)]
pub struct Counted {
    /// The service.
    pub service: &'static str,
    /// How many events, by key.
    pub sequences: HashMap<String, i64>,
}

/// An item.
#[derive(Debug, Clone, Default)]
pub struct StockFact {
    /// Units that can be reserved.
    pub free: i64,
    /// Units set aside.
    pub reserved: i64,
    /// Units gone.
    pub shipped: i64,
    /// The sum of adjustments that the item's row claims.
    pub adjusted: i64,
    /// The sum of adjustments in the ledger.
    pub ledger: i64,
    /// What it costs, and the number of its last event.
    pub price: PriceFact,
}

/// What an item costs, in inventory's books or in order's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PriceFact {
    /// In minor units.
    pub unit_minor: i64,
    /// Its currency.
    pub currency: String,
    /// The number of the event that says so: inventory's last about the item, and the last that order
    /// heard.
    pub sequence: i64,
}

/// What a service still has to publish.
#[derive(Debug, Clone)]
pub struct OutboxFact {
    /// Whose.
    pub service: &'static str,
    /// Rows of the outbox that wait to be published, and messages that are set apart.
    pub rows: i64,
    /// How many are set apart: their batches count as published.
    pub apart: i64,
    /// The last committed batch.
    pub head: i64,
    /// The last published batch.
    pub published: i64,
}

impl OutboxFact {
    /// Whether something that was committed up to this batch is on no topic yet.
    pub fn is_behind(&self, head: i64) -> bool {
        self.published < head || self.apart > 0
    }
}

/// The events of one topic, by key.
#[derive(Debug, Clone, Default)]
pub struct TopicFact {
    /// Its name.
    pub name: String,
    /// All records.
    pub records: u64,
    /// Records that repeat an earlier one.
    pub duplicates: u64,
    /// Copies that differ from the first only in their time: a service decided the same again, after its
    /// database was set back.
    pub told_again: u64,
    /// Copies that differ from the first in what they say.
    pub differing: u64,
    /// One of them.
    pub differing_example: String,
    /// Records without a sequence, which no service writes.
    pub foreign: u64,
    /// How many of those a service set aside as dead letters, settled since or not.
    pub foreign_set_aside: u64,
    /// One that none set aside: partition and offset.
    pub foreign_example: Option<(i32, i64)>,
    /// If retention has removed the beginning of a partition: when the first record that is still
    /// there was written, in milliseconds since the Unix epoch; of several partitions, the latest.
    pub expired_until_ms: Option<i64>,
    /// What there is under each key.
    pub keys: HashMap<String, KeyFact>,
}

/// The events of one key.
#[derive(Debug, Clone, Copy, Default)]
pub struct KeyFact {
    /// The lowest sequence.
    pub lowest: i64,
    /// The highest.
    pub highest: i64,
    /// How many different ones there are.
    pub different: i64,
    /// Whether retention has removed the beginning of its partition.
    pub beginning_expired: bool,
}

/// What is on the catalogue's topic, which is compacted: only the last record of a key counts.
#[derive(Debug, Clone, Default)]
pub struct CatalogueFact {
    /// Records without a sequence, which no service writes.
    pub foreign: u64,
    /// The sequence of each SKU's last record.
    pub last: HashMap<String, i64>,
    /// The same for the records that order had passed before the topic was read: it will not come back to
    /// them.
    pub passed: HashSet<(String, i64)>,
}

/// The providers' own books, by order.
#[derive(Debug, Clone, Default)]
pub struct LedgerFact {
    /// Captured less refunded, in minor units.
    pub kept_minor: HashMap<Uuid, i64>,
    /// Set aside and neither captured nor given back.
    pub held_minor: HashMap<Uuid, i64>,
    /// Whether the carrier has the goods.
    pub dispatched: HashMap<Uuid, bool>,
}
