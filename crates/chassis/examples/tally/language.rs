//! The two topics of the example. A service of the fleet finds its events in the crate `events`; the
//! example brings its own, so that it needs nothing of the business.

use events::{Events, ReadRecord, RecordInfo, WriteRecord};
use serde::{Deserialize, Serialize};

/// Somebody asks for an amount to be added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AdditionRequested {
    pub(crate) key: String,
    pub(crate) amount: i64,
}

/// The total that an addition led to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TotalChanged {
    pub(crate) key: String,
    pub(crate) total: i64,
}

impl Events for AdditionRequested {
    const TOPIC: &'static str = "tally.requests";
    const RECORDS: &'static [RecordInfo] = &[RecordInfo {
        name: "AdditionRequested",
        full_name: "example.tally.v1.AdditionRequested",
        topic: "tally.requests",
        schema: r#"{"type":"record","name":"AdditionRequested","namespace":"example.tally.v1",
            "fields":[{"name":"key","type":"string"},{"name":"amount","type":"long"}]}"#,
    }];

    fn record(&self) -> usize {
        0
    }

    fn key(&self) -> String {
        self.key.clone()
    }

    fn read<R: ReadRecord>(_record: usize, reader: R) -> Result<Self, R::Error> {
        reader.read()
    }

    fn write<W: WriteRecord>(&self, writer: W) -> Result<W::Ok, W::Error> {
        writer.write(self)
    }
}

impl Events for TotalChanged {
    const TOPIC: &'static str = "tally.events";
    const RECORDS: &'static [RecordInfo] = &[RecordInfo {
        name: "TotalChanged",
        full_name: "example.tally.v1.TotalChanged",
        topic: "tally.events",
        schema: r#"{"type":"record","name":"TotalChanged","namespace":"example.tally.v1",
            "fields":[{"name":"key","type":"string"},{"name":"total","type":"long"}]}"#,
    }];

    fn record(&self) -> usize {
        0
    }

    fn key(&self) -> String {
        self.key.clone()
    }

    fn read<R: ReadRecord>(_record: usize, reader: R) -> Result<Self, R::Error> {
        reader.read()
    }

    fn write<W: WriteRecord>(&self, writer: W) -> Result<W::Ok, W::Error> {
        writer.write(self)
    }
}
