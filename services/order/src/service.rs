//! The order service's work in the executor's terms: which rows a batch of inputs needs, what each
//! input does to them in memory, and what is written. The rules are in `domain` and `placement`, the
//! SQL in `store`.

use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::time::Duration;

use chassis::{Effects, Failure, Keyed, NoCall, Presumed, Reading, Service, Writes};
use events::{OrderEvent, OrderId, Shortage, Sku};
use sqlx::PgConnection;

use crate::domain::{self, Rejection, State};
use crate::history::{self, Kind};
use crate::measures;
use crate::placement::{self, PlaceOrder, Placed, Price};
use crate::store::{self, Answered, New, OrderState, Rows};

/// The order service.
pub struct Orders {
    overdue: store::OverdueSearch,
    open: store::OpenSearch,
    orders: Keyed<OrderState>,
    /// Idempotency keys.
    presumed: Presumed<Arc<str>>,
}

impl Orders {
    /// A service that cancels orders not dispatched within `deadline` of being placed.
    pub fn new(deadline: Duration) -> Self {
        Orders {
            overdue: store::OverdueSearch::new(deadline),
            open: store::OpenSearch::default(),
            orders: Keyed::default(),
            presumed: Presumed::default(),
        }
    }
}

/// What makes the service act.
#[derive(Debug, Clone)]
pub enum Input {
    /// A customer places an order.
    Place(Arc<PlaceOrder>),
    /// Something happens to an order that exists: an answer, a command, its deadline.
    Order(OrderInput),
    /// The catalogue says what an item costs.
    Price(Sku, Arc<Price>),
}

/// Something that happens to one order.
#[derive(Debug, Clone)]
pub struct OrderInput {
    pub order: OrderId,
    pub input: domain::Input,
    /// How the order's history shows it, when it changes the order. Commands and deadlines need no
    /// entry of their own: the event that they lead to names them.
    pub heard: Option<Kind>,
    pub news: News,
}

impl OrderInput {
    /// A command, or the deadline.
    pub fn of(order: OrderId, input: domain::Input) -> Self {
        OrderInput { order, input, heard: None, news: News::None }
    }
}

/// What an answer says beyond the step itself. It decides nothing and is kept to be shown.
#[derive(Debug, Clone)]
pub enum News {
    None,
    Shortages(Vec<Shortage>),
    Tracking(String),
}

/// What the caller of a command is told.
#[derive(Debug)]
pub enum Reply {
    Placed {
        placed: Arc<Placed>,
        /// Whether an earlier request with the same key placed it.
        replayed: bool,
    },
    NotPlaced(placement::Rejection),
    /// The order is in this state now.
    Moved(State),
    Rejected(Rejection),
    NoSuchOrder,
    /// For inputs that nobody waits for.
    Noted,
}

impl Service for Orders {
    const NAME: &'static str = "order";
    type Input = Input;
    type Call = NoCall;
    type Reply = Reply;
    type Rows = Rows;

    async fn load(&self, db: &mut PgConnection, inputs: &[&Input]) -> Result<Rows, Failure> {
        store::load(db, &self.orders, &self.presumed, inputs).await
    }

    fn decide(&self, rows: &mut Rows, input: &Input, effects: &mut Effects<NoCall>) -> Reply {
        match input {
            Input::Place(place) => decide_place(rows, place, effects),
            Input::Order(input) => decide_order(rows, input, effects),
            Input::Price(sku, price) => {
                rows.prices.change(sku, price);
                Reply::Noted
            }
        }
    }

    fn save(&self, rows: &Rows, writes: &mut Writes) -> Result<(), Failure> {
        store::save(rows, writes)
    }

    fn committed(&self, rows: Rows) {
        self.presumed.settle();
        self.orders.committed(rows.orders);
    }

    const TIMERS: bool = true;

    async fn sweep(&self, db: &mut PgConnection, until: i64) -> Result<Vec<Input>, Failure> {
        let overdue = self.overdue.next(db, until).await?;
        let step = |order| Input::Order(OrderInput::of(order, domain::Input::Overdue));
        Ok(overdue.into_iter().map(step).collect())
    }

    async fn observe(&self, db: &mut PgConnection) -> Result<Vec<Reading>, Failure> {
        Ok(measures::readings(&self.open.look(db).await?))
    }
}

fn decide_place(rows: &mut Rows, place: &Arc<PlaceOrder>, effects: &mut Effects<NoCall>) -> Reply {
    let vacant = match rows.answered.entry(place.key.clone()) {
        Entry::Vacant(vacant) => vacant,
        // The request came before: it was committed earlier, or handled a moment ago in this very batch.
        Entry::Occupied(answered) => {
            let Answered { fingerprint, placed } = answered.get();
            if *fingerprint != place.fingerprint {
                return Reply::NotPlaced(placement::Rejection::KeyReused);
            }
            // The same id means that this very request is running again, after a commit whose success
            // was not confirmed: its caller has had no answer yet.
            let replayed = placed.order_id != place.order_id;
            return Reply::Placed { placed: placed.clone(), replayed };
        }
    };
    let now = effects.now_micros();
    let (lines, total) = match placement::price(place, rows.prices.listed()) {
        Ok(priced) => priced,
        Err(rejection) => {
            rows.rejected = true;
            return Reply::NotPlaced(rejection);
        }
    };
    let order = domain::Order {
        id: place.order_id,
        customer_id: place.customer_id.clone(),
        lines: lines.clone(),
        total,
        destination: place.destination.clone(),
        payment_token: place.payment_token.clone(),
    };
    let (facts, state, event) = domain::place(order, now);
    let event = OrderEvent::OrderPlaced(event);
    let mut log = Vec::with_capacity(history::ENTRY_BYTES);
    history::append(&mut log, Kind::from(&event), now);
    let placed = Placed { order_id: place.order_id, lines, total, placed_at_micros: now };
    let placed = Arc::new(placed);
    vacant.insert(Answered { fingerprint: place.fingerprint, placed: placed.clone() });
    let new = New { place: place.clone(), placed: placed.clone() };
    let order = OrderState { log, new: Some(new), ..OrderState::read(facts, state) };
    rows.orders.begin(place.order_id, order, &[event], effects);
    Reply::Placed { placed, replayed: false }
}

fn decide_order(rows: &mut Rows, input: &OrderInput, effects: &mut Effects<NoCall>) -> Reply {
    let Some(before) = rows.orders.get(input.order) else {
        // Order writes the first row of every order and publishes after that commit, so an answer
        // about an unknown order is not ours: planted, or of another fleet. It must not block. A caller who
        // names an unknown order is told so, and nobody else need know.
        if !matches!(input.input, domain::Input::Cancel | domain::Input::Return) {
            rows.strangers.push(input.order);
        }
        return Reply::NoSuchOrder;
    };
    let now = effects.now_micros();
    let decision = match domain::decide(&before.facts, before.state, input.input, now) {
        Ok(decision) => decision,
        Err(rejection) => return Reply::Rejected(rejection),
    };
    let domain::Decision { state, events, .. } = decision;
    if state == before.state {
        return Reply::Moved(state);
    }
    rows.orders.change(input.order, &events, effects, |order| {
        order.state = state;
        order.log.reserve((1 + events.len()) * history::ENTRY_BYTES);
        let heard = input.heard.into_iter();
        let kinds = heard.chain(events.iter().map(Kind::from));
        kinds.for_each(|kind| history::append(&mut order.log, kind, now));
        order.hear(&input.news);
    });
    measures::changed(effects, input.order, &state, &events);
    Reply::Moved(state)
}

#[cfg(test)]
mod tests;
