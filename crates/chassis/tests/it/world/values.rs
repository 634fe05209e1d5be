//! Values as producers of all kinds write them: well-behaved, newer, mistaken.

use chassis::Registry;
use chassis::testing::Framer;
use events::Events;

use super::{AdditionRequested, AdditionReversed, REQUESTS, RequestEvent, TotalChanged, World};

impl World {
    pub(crate) fn encode(&self, request: &AdditionRequested) -> Vec<u8> {
        self.framer.value(&RequestEvent::Requested(request.clone())).unwrap()
    }

    /// The value of what takes an addition back.
    pub(crate) fn encode_reversal(&self, key: &str, amount: i64) -> Vec<u8> {
        let reversed = AdditionReversed { key: key.to_owned(), amount };
        self.framer.value(&RequestEvent::Reversed(reversed)).unwrap()
    }

    /// A value that is well-formed, of a registered schema, and does not belong on the topic.
    pub(crate) async fn register_stranger(&self) -> Vec<u8> {
        let event = TotalChanged { key: "stranger".to_owned(), total: 1 };
        let framer = Framer::new::<TotalChanged>(&self.registry()).await.unwrap();
        let mut value = framer.value(&event).unwrap();
        let stranger = events::RecordInfo {
            name: "Stranger",
            full_name: "elsewhere.v1.Stranger",
            topic: "elsewhere",
            schema: r#"{"type":"record","name":"Stranger","namespace":"elsewhere.v1","fields":[
                {"name":"key","type":"string"},{"name":"total","type":"long"}]}"#,
        };
        let id = self.registry().register(&stranger).await.unwrap();
        value[1..5].copy_from_slice(&id.to_be_bytes());
        value
    }

    /// A request as a newer producer writes it: with a field that this build does not know.
    pub(crate) async fn encode_newer(&self, request: &AdditionRequested) -> Vec<u8> {
        let newer = events::RecordInfo {
            schema: r#"{"type":"record","name":"AdditionRequested","namespace":"example.tally.v1",
                "fields":[{"name":"key","type":"string"},{"name":"amount","type":"long"},
                          {"name":"note","type":"string","default":""}]}"#,
            ..RequestEvent::RECORDS[0]
        };
        let id = self.registry().register(&newer).await.unwrap();
        let mut value = self.encode(request);
        value[1..5].copy_from_slice(&id.to_be_bytes());
        // The empty note.
        value.push(0);
        value
    }

    /// A record of the topic that a newer producer writes and this build does not know at all.
    pub(crate) async fn unknown_record(&self) -> Vec<u8> {
        let unknown = events::RecordInfo {
            name: "AdditionForgotten",
            full_name: "example.tally.v1.AdditionForgotten",
            topic: REQUESTS,
            schema: r#"{"type":"record","name":"AdditionForgotten",
                "namespace":"example.tally.v1","fields":[]}"#,
        };
        let id = self.registry().register(&unknown).await.unwrap();
        [&[0], id.to_be_bytes().as_slice()].concat()
    }

    fn registry(&self) -> Registry {
        Registry::new(&self.urls.registry)
    }
}
