//! Bytes as text, both ways: headers for a column of JSON, values for people. The two ways are in one place,
//! as a retry must find the headers exactly as they were set aside.

use serde_json::{Value, json};

use super::Headers;

/// Headers as JSON, in their order. A value that is not text is written as hexadecimal digits.
pub(super) fn headers_to_json(headers: &Headers<'_>) -> Value {
    let encode = |value: &[u8]| match std::str::from_utf8(value) {
        Ok(text) if !text.contains('\0') => json!({ "text": text }),
        _binary => json!({ "hex": hex::encode(value) }),
    };
    headers.iter().map(|(name, value)| json!([name.replace('\0', ""), value.map(encode)])).collect()
}

pub(super) fn headers_from_json(headers: &Value) -> Vec<(String, Option<Vec<u8>>)> {
    let decode = |value: &Value| {
        let text = value["text"].as_str().map(|text| text.as_bytes().to_vec());
        text.or_else(|| hex::decode(value["hex"].as_str()?).ok())
    };
    let pairs = headers.as_array().map(Vec::as_slice).unwrap_or_default();
    pairs.iter().map(|p| (p[0].as_str().unwrap_or("").to_owned(), decode(&p[1]))).collect()
}
