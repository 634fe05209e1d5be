//! What is in a record, for people: any schema of the registry, and no type of this build. Separate from reading topics,
//! which looks at no value.

use std::collections::HashMap;

use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;

use crate::failure::Chain;
use crate::wire::registry::Registry;

/// Decodes values for people, with the schemas that the registry has for them.
pub struct Decoder {
    registry: Registry,
    schemas: HashMap<u32, Option<Schema>>,
}

impl Decoder {
    /// A decoder that asks `registry` once per schema.
    pub fn new(registry: Registry) -> Self {
        Decoder { registry, schemas: HashMap::new() }
    }

    /// The value as JSON, or why it cannot be shown.
    pub async fn decode(&mut self, value: &[u8]) -> Result<serde_json::Value, String> {
        let [0, a, b, c, d, body @ ..] = value else {
            return Err("the value does not begin with a zero byte and a schema id".to_owned());
        };
        let id = u32::from_be_bytes([*a, *b, *c, *d]);
        if !self.schemas.contains_key(&id) {
            let found = self.registry.schema(id).await.map_err(|e| Chain(&e).to_string())?;
            let parsed = found.map(|text| Schema::parse_str(&text)).transpose();
            self.schemas.insert(id, parsed.map_err(|error| error.to_string())?);
        }
        let Some(Some(schema)) = self.schemas.get(&id) else {
            return Err(format!("the registry knows no schema with id {id}"));
        };
        read(schema, body)
    }

    /// The value as JSON by a schema that the caller knows, for when the registry does not answer.
    pub fn decode_as(schema: &str, value: &[u8]) -> Result<serde_json::Value, String> {
        let [0, _, _, _, _, body @ ..] = value else {
            return Err("the value does not begin with a zero byte and a schema id".to_owned());
        };
        read(&Schema::parse_str(schema).map_err(|error| error.to_string())?, body)
    }
}

fn read(schema: &Schema, mut body: &[u8]) -> Result<serde_json::Value, String> {
    let value = GenericDatumReader::builder(schema)
        .human_readable(true)
        .build()
        .and_then(|reader| reader.read_value(&mut body))
        .map_err(|error| error.to_string())?;
    serde_json::Value::try_from(value).map_err(|error| error.to_string())
}
