//! What a service does with a batch: hear its records, decide, and all else of a batch but the database.
//! The inputs of a batch are of different orders, as they nearly always are.

use chassis::measuring::{Batch, Offline, Record, Wire, records, rows_of};
use chassis::{App, Env, Service};
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput};
use events::{Events, InventoryEvent, OrderEvent, OrderId, PaymentEvent, ShippingEvent};
use order::Orders;
use order::domain::{Facts, State};
use payment::Payments;
use payment::domain as payments;

use crate::samples;

/// A batch of a quiet fleet, of a busy one, and of one at its limit.
const SIZES: [usize; 3] = [1, 16, 256];

/// What makes a service act, and on which row.
enum Cause<S: Service> {
    Record(Record),
    Input(S::Input),
}

pub(crate) fn order(criterion: &mut Criterion) {
    let service = offline(order::app);
    let place = |id: OrderId, _: usize| Cause::Input(order::Input::Place(samples::place(id)));
    let priced = |_: &[OrderId]| {
        let mut rows = order::Rows::default();
        samples::prices().into_iter().for_each(|(sku, price)| rows.prices.list(sku, price));
        rows
    };
    measure(criterion, &service, "order, placing", place, priced);
    measure(criterion, &service, "order, answers", answer, answered);
}

/// The four answers of a happy order in turn, each of another order.
fn answer(id: OrderId, index: usize) -> Cause<Orders> {
    Cause::Record(match index % 4 {
        0 => record("payment", PaymentEvent::from(samples::authorized(id))),
        1 => record("shipping", ShippingEvent::from(samples::dispatched(id))),
        2 => record("payment", PaymentEvent::from(samples::received(id))),
        _ => record("inventory", InventoryEvent::from(samples::reserved(id))),
    })
}

fn answered(ids: &[OrderId]) -> order::Rows {
    let orders = ids.iter().enumerate().map(|(index, id)| {
        let state = match index % 4 {
            0 => State::AwaitingPayment,
            1 => State::Confirmed,
            2 => State::Shipped,
            _ => State::AwaitingBoth,
        };
        let facts = Facts {
            id: *id,
            customer_id: samples::CUSTOMER.to_owned(),
            total: samples::total(),
            destination: "DE".to_owned(),
        };
        (*id, order::OrderState::read(facts, state))
    });
    order::Rows { orders: chassis::Rows::read_as(orders), ..order::Rows::default() }
}

pub(crate) fn payment(criterion: &mut Criterion) {
    let service = offline(payment::app);
    measure(criterion, &service, "payment", pay, paid);
}

/// The two events and the two outcomes of a happy payment in turn, each of another order.
fn pay(order: OrderId, index: usize) -> Cause<Payments> {
    let authorization = samples::AUTHORIZATION.to_owned();
    let outcome = |step| Cause::Input(payment::Input::to(order, step));
    match index % 4 {
        0 => Cause::Record(record("order", OrderEvent::from(samples::placed(order)))),
        1 => outcome(payments::Input::Authorized { authorization }),
        2 => Cause::Record(record("order", OrderEvent::from(samples::shipped(order)))),
        _ => outcome(payments::Input::Captured),
    }
}

fn paid(ids: &[OrderId]) -> <Payments as Service>::Rows {
    let amount = samples::total();
    let authorization = || samples::AUTHORIZATION.to_owned();
    let states = ids.iter().enumerate().map(|(index, id)| {
        let state = match index % 4 {
            0 => payments::State::New,
            1 => payments::State::Authorizing { amount, token: samples::TOKEN.to_owned() },
            2 => payments::State::Authorized { amount, authorization: authorization() },
            _ => payments::State::Capturing { amount, authorization: authorization() },
        };
        (*id, state)
    });
    rows_of::<Payments>(states)
}

/// A service whose calls outside, if it has any, stay in the process.
fn offline<S: Service>(app: fn(&mut Env) -> App<S>) -> Offline<S> {
    let mut env = Env::from_fn(|name| name.ends_with("PROVIDER").then(|| "in-process".to_owned()));
    Offline::new(app(&mut env))
}

fn record<E: Events>(source: &str, event: E) -> Record {
    let row = Wire::<E>::default().pack(&[event]);
    records(source, &row).pop().expect("an event was packed")
}

fn measure<S: Service>(
    criterion: &mut Criterion,
    service: &Offline<S>,
    name: &str,
    cause: fn(OrderId, usize) -> Cause<S>,
    rows: fn(&[OrderId]) -> S::Rows,
) {
    let mut group = criterion.benchmark_group(name);
    for size in SIZES {
        let ids = samples::ids(size);
        let (mut batch, mut heard) = (Batch::default(), Vec::new());
        for (index, id) in ids.iter().enumerate() {
            match cause(*id, index) {
                Cause::Input(input) => batch.push(input),
                Cause::Record(record) => {
                    service.hear(&mut batch, &record);
                    heard.push(record);
                }
            }
        }
        if !heard.is_empty() {
            group.throughput(Throughput::Elements(heard.len() as u64));
            group.bench_function(BenchmarkId::new("hear", heard.len()), |b| {
                let hear = |batch: &mut Batch<S>| {
                    heard.iter().for_each(|record| service.hear(batch, record));
                };
                b.iter_batched_ref(Batch::default, hear, BatchSize::SmallInput);
            });
        }
        group.throughput(Throughput::Elements(size as u64));
        group.bench_function(BenchmarkId::new("decide", size), |b| {
            let decide = |rows: &mut S::Rows| service.decide(&batch, rows);
            b.iter_batched_ref(|| rows(&ids), decide, BatchSize::SmallInput);
        });
        group.bench_function(BenchmarkId::new("all but the database", size), |b| {
            let attempt = |rows| service.attempt(&batch, rows).row.len();
            b.iter_batched(|| rows(&ids), attempt, BatchSize::SmallInput);
        });
    }
    group.finish();
}
