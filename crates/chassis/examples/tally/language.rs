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

/// An addition was a mistake and is taken back: whatever happens, this must not get lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AdditionReversed {
    pub(crate) key: String,
    pub(crate) amount: i64,
}

/// All that may stand on the topic of requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RequestEvent {
    Requested(AdditionRequested),
    Reversed(AdditionReversed),
}

/// The total that an addition led to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TotalChanged {
    pub(crate) key: String,
    pub(crate) total: i64,
}

const REQUESTS: &str = "tally.requests";

const REQUESTED: RecordInfo = RecordInfo {
    name: "AdditionRequested",
    full_name: "example.tally.v1.AdditionRequested",
    topic: REQUESTS,
    schema: r#"{"type":"record","name":"AdditionRequested","namespace":"example.tally.v1",
        "fields":[{"name":"key","type":"string"},{"name":"amount","type":"long"}]}"#,
};

const REVERSED: RecordInfo = RecordInfo {
    name: "AdditionReversed",
    full_name: "example.tally.v1.AdditionReversed",
    topic: REQUESTS,
    schema: r#"{"type":"record","name":"AdditionReversed","namespace":"example.tally.v1",
        "fields":[{"name":"key","type":"string"},{"name":"amount","type":"long"}]}"#,
};

impl Events for RequestEvent {
    const TOPIC: &'static str = REQUESTS;
    const KEY: &'static str = "key";
    const RECORDS: &'static [RecordInfo] = &[REQUESTED, REVERSED];

    fn record(&self) -> usize {
        match self {
            RequestEvent::Requested(_) => 0,
            RequestEvent::Reversed(_) => 1,
        }
    }

    fn key(&self) -> String {
        match self {
            RequestEvent::Requested(event) => event.key.clone(),
            RequestEvent::Reversed(event) => event.key.clone(),
        }
    }

    fn read<R: ReadRecord>(record: usize, reader: R) -> Result<Self, R::Error> {
        match record {
            0 => reader.read().map(RequestEvent::Requested),
            1 => reader.read().map(RequestEvent::Reversed),
            _ => panic!("the topic has no record {record}"),
        }
    }

    fn write<W: WriteRecord>(&self, writer: W) -> Result<W::Ok, W::Error> {
        match self {
            RequestEvent::Requested(event) => writer.write(event),
            RequestEvent::Reversed(event) => writer.write(event),
        }
    }
}

impl Events for TotalChanged {
    const TOPIC: &'static str = "tally.events";
    const KEY: &'static str = "key";
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
