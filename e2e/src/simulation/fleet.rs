//! The services that the simulation runs, each as it ships and as one replica in memory. A service that takes part
//! in the saga is named here and nowhere else: what it hears reaches it through the topics that it declares.

use std::sync::{Arc, LazyLock};

use chassis::measuring::rows_of;
use chassis::model::{Fact, Model, Replica};
use chassis::{App, Env, Rows, Service};
use events::OrderId;
use inventory::Inventory;
use order::Orders;
use payment::Payments;
use shipping::Shipments;

use super::NOW;

/// The services that run, by their names.
pub const SERVICES: [&str; 4] = [
    <Orders as Service>::NAME,
    <Inventory as Service>::NAME,
    <Payments as Service>::NAME,
    <Shipments as Service>::NAME,
];

/// Who hears a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    Order,
    Inventory,
    Payment,
    Shipping,
}

static ORDER: LazyLock<Arc<Model<Orders>>> = LazyLock::new(|| model(order::app));
static INVENTORY: LazyLock<Arc<Model<Inventory>>> = LazyLock::new(|| model(inventory::app));
static PAYMENT: LazyLock<Arc<Model<Payments>>> = LazyLock::new(|| model(payment::app));
static SHIPPING: LazyLock<Arc<Model<Shipments>>> = LazyLock::new(|| model(shipping::app));

/// Without settings: nobody is called, as the simulation answers.
fn model<S: Service>(app: fn(&mut Env) -> App<S>) -> Arc<Model<S>> {
    Model::new(app(&mut Env::from_fn(|_unset| None)))
}

/// All of them.
#[derive(Clone)]
pub(super) struct Fleet {
    pub(super) order: Replica<Orders>,
    pub(super) inventory: Replica<Inventory>,
    pub(super) payment: Replica<Payments>,
    pub(super) shipping: Replica<Shipments>,
}

impl Fleet {
    /// For these orders, which nobody has heard of yet.
    pub(super) fn new(orders: &[OrderId]) -> Self {
        let orders = orders.iter().copied();
        let goods = inventory::store::Rows::of(Rows::absent(orders.clone()));
        let money = rows_of::<Payments>(orders.clone().map(|order| (order, Default::default())));
        let parcels = rows_of::<Shipments>(orders.map(|order| (order, Default::default())));
        Fleet {
            order: ORDER.replica(order::Rows::default(), NOW),
            inventory: INVENTORY.replica(goods, NOW),
            payment: PAYMENT.replica(money, NOW),
            shipping: SHIPPING.replica(parcels, NOW),
        }
    }

    /// Who hears a fact, according to what each service declares to hear and to ignore.
    pub(super) fn readers(&self, fact: &Fact) -> impl Iterator<Item = Reader> + use<> {
        let asked = [
            (Reader::Order, self.order.model().is_asked(fact)),
            (Reader::Inventory, self.inventory.model().is_asked(fact)),
            (Reader::Payment, self.payment.model().is_asked(fact)),
            (Reader::Shipping, self.shipping.model().is_asked(fact)),
        ];
        asked.into_iter().filter_map(|(reader, is_asked)| is_asked.then_some(reader))
    }

    pub(super) fn order_state(&self, order: OrderId) -> order::domain::State {
        self.order.rows().orders.get(order).expect("it was placed").state
    }

    pub(super) fn goods(&self, order: OrderId) -> &inventory::domain::State {
        self.inventory.rows().reservations.get(order).expect("it is loaded")
    }

    pub(super) fn money(&self, order: OrderId) -> &payment::domain::State {
        self.payment.rows().get(order).expect("it is loaded")
    }

    pub(super) fn parcel(&self, order: OrderId) -> &shipping::domain::State {
        self.shipping.rows().get(order).expect("it is loaded")
    }

    /// The states of an order in all services.
    pub(super) fn states(&self, order: OrderId) -> String {
        let (goods, money, parcel) = (self.goods(order), self.money(order), self.parcel(order));
        format!("{:?} {goods:?} {money:?} {parcel:?}", self.order_state(order))
    }
}
