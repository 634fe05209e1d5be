//! Tests of the header `ce_sequence`, depending on what the service asks of the topic: they read whole records, as the
//! number has to reach the service.

use events::{OrderEvent, OrderReturned};
use sqlx::PgConnection;
use uuid::Uuid;

use super::*;
use crate::effects::Effects;
use crate::failure::Failure;
use crate::postgres::writes::Writes;
use crate::publish::outbox::{BatchWriter, EventMeta, Packed, unpack};
use crate::service::NoCall;
use crate::wire::codec::Encoder;

/// Hears one topic, and takes from each event its number; the parameter says whether it needs them.
struct Listener<const NUMBERED: bool>;

impl<const NUMBERED: bool> Service for Listener<NUMBERED> {
    const NAME: &'static str = "listener";
    type Input = i64;
    type Call = NoCall;
    type Reply = ();
    type Rows = ();

    async fn load(&self, _: &mut PgConnection, _: &[&i64]) -> Result<(), Failure> {
        Ok(())
    }

    fn decide(&self, _: &mut (), _: &i64, _: &mut Effects<NoCall>) {}

    fn save(&self, _: &(), _: &mut Writes) -> Result<(), Failure> {
        Ok(())
    }
}

impl<const NUMBERED: bool> Hears<OrderEvent> for Listener<NUMBERED> {
    const NUMBERED: bool = NUMBERED;

    fn hear(_event: OrderEvent, sequence: i64) -> Option<i64> {
        Some(sequence)
    }
}

/// Reads a well-formed event with this header `ce_sequence`.
fn read<const NUMBERED: bool>(sequence: Option<&str>) -> Result<i64, Reason> {
    let ids: Vec<SchemaId> = (1..).take(OrderEvent::RECORDS.len()).collect();
    let subscription = (declare::<Listener<NUMBERED>, OrderEvent>().build)(&ids).unwrap();
    let event = OrderEvent::from(OrderReturned {
        order_id: events::OrderId(Uuid::from_u128(7)),
        customer_id: None,
        occurred_at: 1,
    });
    let mut encoder = Encoder::default();
    encoder.add::<OrderEvent>(&ids).unwrap();
    let mut writer = BatchWriter::default();
    let meta = EventMeta { sequence: 1, time_micros: 1, cause: None, trace: None };
    encoder.encode(&event, &meta, &mut writer).unwrap();
    let row = writer.finish();
    let Some(Packed::Event { payload, .. }) = unpack(&row).unwrap().pop() else {
        unreachable!("an event was packed")
    };
    let full_name = OrderEvent::RECORDS[event.record()].full_name;
    let headers = [
        ("ce_id", Some("7/1")),
        ("ce_source", Some("order")),
        ("ce_type", Some(full_name)),
        ("ce_sequence", sequence),
    ];
    let headers: Vec<(String, Option<Vec<u8>>)> = headers
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), Some(value?.as_bytes().to_vec()))))
        .collect();
    match subscription.read(&Raw::stored(Some(payload), &headers)) {
        Heard::Input { input, .. } => Ok(input),
        Heard::Poison { reason, .. } => Err(reason),
        Heard::Ignored | Heard::Unknown | Heard::NeedsSchema(_) => unreachable!("it is heard"),
    }
}

#[test]
fn the_number_of_an_event_reaches_the_service() {
    assert_eq!(read::<true>(Some("42")).unwrap(), 42);
    assert_eq!(read::<false>(Some("42")).unwrap(), 42);
}

#[test]
fn where_only_the_latest_counts_an_event_without_a_number_is_poison_and_says_so() {
    for wrong in
        [None, Some(""), Some("0"), Some("-1"), Some("seven"), Some("99999999999999999999")]
    {
        let reason = read::<true>(wrong).unwrap_err();
        assert!(reason.detail.contains("ce_sequence"), "{}", reason.detail);
        assert_eq!(read::<false>(wrong).unwrap(), 0, "elsewhere nobody needs it");
    }
}
