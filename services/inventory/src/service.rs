//! The inventory service's work in the executor's terms: which rows a batch of inputs needs, what each
//! input does to them in memory, and what is written. The rules are in `domain`, the SQL in `store`.

use chassis::{Effects, Failure, Keyed, NoCall, Remembered, Service, Writes};
use events::{CatalogueEvent, Money, OrderId, Sku};
use sqlx::PgConnection;

use crate::domain::{self, Adjustment, Item, Rejection, Source, State};
use crate::store::{self, Loading, Rows, StockRow};

/// The inventory service.
#[derive(Default)]
pub struct Inventory {
    reservations: Keyed<State>,
    stock: Remembered<Sku, StockRow>,
}

/// Something that happens to goods.
#[derive(Debug, Clone)]
pub enum Input {
    /// An order was placed, died, left or came back.
    Order { order: OrderId, step: domain::Input },
    /// An item is created, renamed or priced.
    Set { sku: Sku, name: String, price: Money },
    /// Units come or go from outside.
    Adjust(Adjustment),
}

/// What a caller is told.
#[derive(Debug)]
pub enum Reply {
    /// Nobody asked.
    Noted,
    /// The item as it is now.
    Item {
        item: Item,
        created: bool,
    },
    Rejected(Rejection),
    /// The id belongs to another adjustment.
    IdReused,
}

impl Service for Inventory {
    const NAME: &'static str = "inventory";
    type Input = Input;
    type Call = NoCall;
    type Reply = Reply;
    type Rows = Rows;
    const LOCKS: bool = true;

    async fn load(&self, db: &mut PgConnection, inputs: &[&Input]) -> Result<Rows, Failure> {
        self.loading(false).load(db, inputs).await
    }

    async fn load_locked(&self, db: &mut PgConnection, inputs: &[&Input]) -> Result<Rows, Failure> {
        self.loading(true).load(db, inputs).await
    }

    fn decide(&self, rows: &mut Rows, input: &Input, effects: &mut Effects<NoCall>) -> Reply {
        match input {
            Input::Order { order, step } => decide_order(rows, *order, step, effects),
            Input::Set { sku, name, price } => decide_set(rows, sku, name, *price, effects),
            Input::Adjust(adjustment) => decide_adjust(rows, adjustment, effects),
        }
    }

    fn save(&self, rows: &Rows, writes: &mut Writes) -> Result<(), Failure> {
        store::save(rows, writes)
    }

    fn committed(&self, rows: Rows) {
        self.reservations.committed(rows.reservations);
        self.stock.put(rows.stock.written());
    }
}

impl Inventory {
    fn loading(&self, lock: bool) -> Loading<'_> {
        let Inventory { reservations, stock } = self;
        Loading { reservations, stock, lock }
    }
}

fn decide_order(
    rows: &mut Rows,
    order: OrderId,
    step: &domain::Input,
    effects: &mut Effects<NoCall>,
) -> Reply {
    let now = effects.now_micros();
    let before = rows.reservations.get(order).expect("the rows of all inputs are loaded");
    let decision = domain::decide(order, before, step.clone(), &mut rows.stock, now);
    if decision.state != *before {
        rows.reservations.enter(order, decision.state, &decision.events, effects);
        tell(rows, &decision.catalogue, effects);
    }
    Reply::Noted
}

fn decide_set(
    rows: &mut Rows,
    sku: &Sku,
    name: &str,
    price: Money,
    effects: &mut Effects<NoCall>,
) -> Reply {
    let now = effects.now_micros();
    let found = rows.stock.get(sku);
    let created = found.is_none();
    let (item, told) = domain::set(sku, found, name.to_owned(), price, now);
    if created || !told.is_empty() {
        rows.stock.put(sku, item.clone(), now);
    }
    tell(rows, &told, effects);
    Reply::Item { item, created }
}

fn decide_adjust(rows: &mut Rows, adjustment: &Adjustment, effects: &mut Effects<NoCall>) -> Reply {
    let Adjustment { id, sku, delta, source, note } = adjustment;
    let rejected = |rejection: Rejection, effects: &mut Effects<NoCall>| {
        if *source == Source::Warehouse {
            effects.refuse(format!("{sku}: {rejection}"));
        }
        Reply::Rejected(rejection)
    };
    if let Err(rejection) = domain::check_adjustment(*delta, note) {
        return rejected(rejection, effects);
    }
    if let Some((known_sku, known_delta)) = rows.adjustments.get(id) {
        let same = known_sku == sku && known_delta == delta;
        return match (same, rows.stock.get(sku)) {
            (true, Some(item)) => Reply::Item { item: item.clone(), created: false },
            (true, None) | (false, _) => {
                if *source == Source::Warehouse {
                    effects
                        .refuse(format!("adjustment {id} was applied before, with other content"));
                }
                Reply::IdReused
            }
        };
    }
    let now = effects.now_micros();
    match domain::adjust(sku, rows.stock.get_mut(sku), *delta, now) {
        Ok(told) => {
            rows.adjusted(adjustment, now);
            tell(rows, &told, effects);
            let item = rows.stock.get(sku).expect("adjusted a moment ago").clone();
            Reply::Item { item, created: false }
        }
        Err(rejection) => rejected(rejection, effects),
    }
}

/// Publishes what the catalogue says, each event in the sequence of its SKU.
fn tell(rows: &mut Rows, told: &[CatalogueEvent], effects: &mut Effects<NoCall>) {
    for event in told {
        let sequence = rows.stock.next_sequence(event.sku(), effects.now_micros());
        effects.publish(sequence, event);
    }
}
