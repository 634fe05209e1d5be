//! Evolution: topics are kept for ever and read from their beginning, so every schema reads what any of its
//! versions wrote, and a reader of any version reads what is written today.

use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::schema_compatibility::{Compatibility, SchemaCompatibility};
use apache_avro::{Schema, from_value};
use events::*;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::round_trip::{AvroWriter, schema};
use crate::schemas;

/// An `OrderCompleted` as the release before `customer_id` wrote it.
const COMPLETED_1: &[u8] =
    b"H0190a1b2-c3d4-7000-8000-00000000002a\x80d\x06EUR\x80\x89\xbe\xa2\xdb\xff\xad\x06";
/// An `OrderReturned` of that release.
const RETURNED_1: &[u8] = b"H0190a1b2-c3d4-7000-8000-00000000002a\x80\x89\xbe\xa2\xdb\xff\xad\x06";

#[test]
fn every_released_version_and_todays_read_each_other() {
    let released = schemas::released();
    assert!(!released.is_empty());
    for old in released {
        let same = |new: &schemas::SchemaFile| (&new.owner, &new.name) == (&old.owner, &old.name);
        let new = schemas::all().into_iter().find(same).expect("a record is never taken away");
        let [old, new] = [old, new].map(|file| Schema::parse_str(&file.text).unwrap());
        let verdict = SchemaCompatibility::mutual_read(&old, &new);
        assert_eq!(verdict, Ok(Compatibility::Full), "{:?}", old.name());
    }
}

#[test]
fn an_order_that_ended_before_its_customer_was_told_has_none() {
    let completed: OrderCompleted = read_as_today("OrderCompleted", COMPLETED_1);
    assert_eq!(completed, samples::order_completed(None));
    let returned: OrderReturned = read_as_today("OrderReturned", RETURNED_1);
    assert_eq!(returned, samples::order_returned(None));
}

#[test]
fn a_reader_that_does_not_know_of_customers_reads_the_rest() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Completed1 {
        order_id: OrderId,
        total_minor: i64,
        currency: Currency,
        occurred_at: i64,
    }
    #[derive(Debug, PartialEq, Deserialize)]
    struct Returned1 {
        order_id: OrderId,
        occurred_at: i64,
    }
    for customer in [Some("customer-7"), None] {
        let today = samples::order_completed(customer);
        let read: Completed1 = read_as_before("OrderCompleted", &today.clone().into());
        let OrderCompleted { order_id, total_minor, currency, occurred_at, .. } = today;
        assert_eq!(read, Completed1 { order_id, total_minor, currency, occurred_at });

        let today = samples::order_returned(customer);
        let read: Returned1 = read_as_before("OrderReturned", &today.clone().into());
        let OrderReturned { order_id, occurred_at, .. } = today;
        assert_eq!(read, Returned1 { order_id, occurred_at });
    }
}

/// Reads bytes of the first version of one of order's records.
fn read_as_today<T: DeserializeOwned>(record: &str, bytes: &[u8]) -> T {
    let today = OrderEvent::RECORDS.iter().find(|info| info.name == record).unwrap();
    read_resolved(&first(record), &Schema::parse_str(today.schema).unwrap(), bytes)
}

/// Reads an event of today as somebody does who knows the first version of its record.
fn read_as_before<T: DeserializeOwned>(record: &str, event: &OrderEvent) -> T {
    let today = schema::<OrderEvent>(event.record());
    let bytes = event.write(AvroWriter(&today)).unwrap();
    read_resolved(&today, &first(record), &bytes)
}

fn first(record: &str) -> Schema {
    let released = schemas::released();
    Schema::parse_str(&released.iter().find(|file| file.name == record).unwrap().text).unwrap()
}

#[test]
fn a_reason_that_a_newer_writer_invented_reads_as_unknown() {
    #[derive(Serialize)]
    struct Newer {
        order_id: OrderId,
        reason: Reason,
        occurred_at: i64,
    }
    #[derive(Serialize)]
    enum Reason {
        #[serde(rename = "FRAUD_SUSPECTED")]
        FraudSuspected,
    }
    let expected = samples::order_cancelled(CancelReason::Unknown);
    let info = &OrderEvent::RECORDS[OrderEvent::from(expected.clone()).record()];
    let mine = Schema::parse_str(info.schema).unwrap();
    let newer = Schema::parse_str(&info.schema.replace("OVERDUE", "FRAUD_SUSPECTED")).unwrap();

    let OrderCancelled { order_id, occurred_at, .. } = expected;
    let record = Newer { order_id, reason: Reason::FraudSuspected, occurred_at };
    let bytes = AvroWriter(&newer).write(&record).unwrap();

    let read: OrderCancelled = read_resolved(&newer, &mine, &bytes);
    assert_eq!(read, expected);
}

#[test]
fn an_adjustment_without_a_note_has_an_empty_one() {
    let mine = schema::<WarehouseEvent>(0);
    let mut older: serde_json::Value =
        serde_json::from_str(WarehouseEvent::RECORDS[0].schema).unwrap();
    older["fields"].as_array_mut().unwrap().retain(|field| field["name"] != "note");
    let older = Schema::parse(&older).unwrap();

    #[derive(Serialize)]
    struct Older {
        adjustment_id: uuid::Uuid,
        sku: Sku,
        delta: i64,
        occurred_at: i64,
    }
    let StockAdjusted { adjustment_id, sku, delta, note, occurred_at } = samples::stock_adjusted();
    assert_eq!(note, "");
    let record = Older { adjustment_id, sku, delta, occurred_at };
    let bytes = AvroWriter(&older).write(&record).unwrap();

    let read: StockAdjusted = read_resolved(&older, &mine, &bytes);
    assert_eq!(read, samples::stock_adjusted());
}

/// Reads bytes of a newer or older writer, as a reader with another schema does.
fn read_resolved<T: DeserializeOwned>(written_by: &Schema, mine: &Schema, bytes: &[u8]) -> T {
    let reader = GenericDatumReader::builder(written_by).reader_schema(mine).build().unwrap();
    let value = reader.read_value(&mut &bytes[..]).unwrap();
    from_value(&value).unwrap()
}
