//! What the bytes of a dead letter say, for the person who has to decide about it.

use chassis::tail::Decoder;
use events::TOPICS;
use serde_json::{Value, json};

/// The payload by the registry's schema of its id; without the registry, by this build's schema for
/// its type. If a payload cannot be read, says why: that may be what is wrong with it.
pub(super) async fn decoded(letter: &Value) -> Value {
    let bytes = letter["payload_hex"].as_str().and_then(|text| hex::decode(text).ok());
    let Some(bytes) = bytes else { return Value::Null };
    let by_registry = match crate::commands::registry() {
        Ok(registry) => Decoder::new(registry).decode(&bytes).await,
        Err(error) => Err(format!("{error:#}")),
    };
    let read = by_registry.or_else(|why| by_this_build(letter, &bytes).map_err(|_| why));
    read.unwrap_or_else(|why| json!({ "undecoded": why }))
}

fn by_this_build(letter: &Value, bytes: &[u8]) -> Result<Value, String> {
    let mut headers = letter["headers"].as_array().into_iter().flatten();
    let name = headers.rfind(|header| header["name"] == "ce_type");
    let name = name.and_then(|header| header["value"].as_str());
    let known = TOPICS.iter().flat_map(|topic| topic.records).find(|r| Some(r.full_name) == name);
    let record = known.ok_or_else(|| "no schema of this build has its type".to_owned())?;
    Decoder::decode_as(record.schema, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIRMED: &str = "flotilla.order.v1.OrderConfirmed";

    #[test]
    fn a_type_that_this_build_has_is_read_without_the_registry() {
        let letter = json!({ "headers": [{ "name": "ce_type", "value": CONFIRMED }] });
        let order = "0199d2a4-0000-7000-8000-000000000001";
        // The frame, then two strings with their lengths, then the time.
        let value = [b"\0\0\0\0\x07\x48".as_slice(), order.as_bytes(), b"\x04DE\x02"].concat();
        let read = by_this_build(&letter, &value).unwrap();
        assert_eq!((&read["order_id"], &read["destination"]), (&json!(order), &json!("DE")));
    }

    #[test]
    fn bytes_that_are_no_event_and_types_that_nobody_knows_say_why() {
        let letter = json!({ "headers": [{ "name": "ce_type", "value": CONFIRMED }] });
        let why = by_this_build(&letter, b"not A").unwrap_err();
        assert!(why.contains("zero byte"), "{why}");
        let unknown =
            json!({ "headers": [{ "name": "ce_type", "value": "flotilla.order.v1.Unknown" }] });
        assert!(by_this_build(&unknown, &[0; 9]).unwrap_err().contains("its type"));
    }
}
