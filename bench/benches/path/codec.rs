//! Events to bytes and back, one kind at a time, and the packed row that carries them.

use std::hint::black_box;

use chassis::measuring::{Wire, publish, records, unpacked};
use criterion::{BatchSize, Criterion, Throughput};
use events::{Events, OrderEvent, OrderId, PaymentEvent};

use crate::samples;

/// As many events as a flush carries under load.
const EVENTS: usize = 256;

pub(crate) fn all(criterion: &mut Criterion) {
    events::<_, OrderEvent>(criterion, "OrderPlaced", samples::placed);
    events::<_, PaymentEvent>(criterion, "PaymentAuthorized", samples::authorized);
}

fn events<R, E: Events + From<R>>(
    criterion: &mut Criterion,
    record: &str,
    event: fn(OrderId) -> R,
) {
    let wire = Wire::<E>::default();
    let events: Vec<E> = samples::all(&samples::ids(EVENTS), event);
    let row = wire.pack(&events);
    let records = records("order", &row);

    let mut group = criterion.benchmark_group(record);
    group.throughput(Throughput::Elements(EVENTS as u64));
    group.bench_function("encode and pack", |b| b.iter(|| wire.pack(black_box(&events))));
    group.bench_function("unpack", |b| b.iter(|| unpacked(black_box(&row))));
    group.bench_function("unpack and make headers", |b| {
        b.iter(|| publish("order", black_box(&row)));
    });
    group.bench_function("decode", |b| {
        let decode = |room: &mut Vec<E>| {
            room.extend(records.iter().map(|record| wire.decode(&record.value)));
        };
        b.iter_batched_ref(|| Vec::with_capacity(EVENTS), decode, BatchSize::SmallInput);
    });
    group.finish();
}
