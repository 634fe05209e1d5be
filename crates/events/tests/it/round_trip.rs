//! Every event survives Avro and JSON, through the same door that the chassis uses.

use std::collections::BTreeSet;
use std::fmt::Debug;

use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::writer::datum::GenericDatumWriter;
use events::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub(crate) struct AvroWriter<'a>(pub(crate) &'a Schema);

impl WriteRecord for AvroWriter<'_> {
    type Ok = Vec<u8>;
    type Error = apache_avro::Error;

    fn write<T: Serialize>(self, record: &T) -> Result<Vec<u8>, apache_avro::Error> {
        let mut bytes = Vec::new();
        let writer = GenericDatumWriter::builder(self.0).human_readable(true).build()?;
        writer.write_ser(&mut bytes, record)?;
        Ok(bytes)
    }
}

struct AvroReader<'a>(&'a Schema, &'a [u8]);

impl ReadRecord for AvroReader<'_> {
    type Error = apache_avro::Error;

    fn read<T: DeserializeOwned>(mut self) -> Result<T, apache_avro::Error> {
        let reader = GenericDatumReader::builder(self.0).human_readable(true).build()?;
        let record = reader.read_deser(&mut self.1)?;
        assert!(self.1.is_empty(), "bytes are left over");
        Ok(record)
    }
}

struct JsonWriter;

impl WriteRecord for JsonWriter {
    type Ok = String;
    type Error = serde_json::Error;

    fn write<T: Serialize>(self, record: &T) -> Result<String, serde_json::Error> {
        serde_json::to_string(record)
    }
}

struct JsonReader<'a>(&'a str);

impl ReadRecord for JsonReader<'_> {
    type Error = serde_json::Error;

    fn read<T: DeserializeOwned>(self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.0)
    }
}

pub(crate) fn schema<E: Events>(record: usize) -> Schema {
    Schema::parse_str(E::RECORDS[record].schema).unwrap()
}

fn survives<E: Events + PartialEq + Debug>(samples: Vec<E>) {
    let mut seen = BTreeSet::new();
    for event in samples {
        let index = event.record();
        seen.insert(index);
        let schema = schema::<E>(index);

        let avro = event.write(AvroWriter(&schema)).unwrap();
        assert_eq!(E::read(index, AvroReader(&schema, &avro)).unwrap(), event);

        let json = event.write(JsonWriter).unwrap();
        assert_eq!(E::read(index, JsonReader(&json)).unwrap(), event);
    }
    let all: BTreeSet<_> = (0..E::RECORDS.len()).collect();
    assert_eq!(seen, all, "a record of {} has no sample", E::TOPIC);
}

#[test]
fn every_event_survives_being_written_and_read() {
    survives(samples::order());
    survives(samples::inventory());
    survives(samples::payment());
    survives(samples::shipping());
    survives(samples::catalogue());
    survives(samples::warehouse());
}

#[test]
fn the_index_of_a_record_is_its_place_in_the_list() {
    let event = OrderEvent::from(samples::order_cancelled(CancelReason::Customer));
    assert_eq!(OrderEvent::RECORDS[event.record()].name, "OrderCancelled");
}

#[test]
fn an_event_is_keyed_by_what_it_is_about() {
    let placed = OrderEvent::from(samples::order_placed());
    assert_eq!(placed.key(), "0190a1b2-c3d4-7000-8000-00000000002a");
    for event in samples::catalogue() {
        assert_eq!(event.key(), "tea-earl.grey_250");
    }
    for event in samples::warehouse() {
        assert_eq!(event.key(), "tea-earl.grey_250");
    }
}

#[test]
fn a_record_with_an_impossible_sku_or_currency_is_refused() {
    #[derive(Serialize)]
    struct Foreign<'a> {
        sku: &'a str,
        name: &'a str,
        unit_price_minor: i64,
        currency: &'a str,
        free_quantity: i64,
        occurred_at: i64,
    }
    let schema = schema::<CatalogueEvent>(0);
    let read = |sku, currency| {
        let record = Foreign {
            sku,
            name: "Tea",
            unit_price_minor: 1,
            currency,
            free_quantity: 1,
            occurred_at: 1,
        };
        let bytes = AvroWriter(&schema).write(&record).unwrap();
        CatalogueEvent::read(0, AvroReader(&schema, &bytes))
    };
    assert!(read("TEA", "EUR").is_ok());
    assert!(read("", "EUR").is_err());
    assert!(read("TEA TIME", "EUR").is_err());
    assert!(read("TEA", "euro").is_err());
}
