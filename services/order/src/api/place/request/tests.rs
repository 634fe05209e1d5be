use serde_json::{Value, json};

use super::*;

fn good() -> Value {
    json!({
        "customer_id": "customer-7",
        "lines": [{"sku": "TEA", "quantity": 2}, {"sku": "CUP", "quantity": 1}],
        "destination": "DE",
        "payment_token": "tok_visa",
    })
}

fn checked(body: Value) -> Result<PlaceOrder, Problem> {
    check(serde_json::from_value(body).unwrap(), "key".into(), 1_790_000_000_000_000)
}

/// The field that the problem names when `pointer` holds `value`.
fn refused_field(pointer: &str, value: Value) -> String {
    let mut body = good();
    *body.pointer_mut(pointer).unwrap() = value;
    field_of(checked(body).unwrap_err())
}

fn field_of(problem: Problem) -> String {
    let document = serde_json::to_value(problem).unwrap();
    document["field"].as_str().unwrap().to_owned()
}

fn lines(count: usize) -> Value {
    (0..count).map(|n| json!({"sku": format!("S{n}"), "quantity": 1})).collect()
}

#[test]
fn a_good_order_is_accepted() {
    let place = checked(good()).unwrap();
    assert_eq!(place.lines.len(), 2);
    assert_eq!(place.currency, None);
    let mut largest = good();
    largest["lines"] = lines(100);
    largest["lines"][99]["quantity"] = json!(10_000);
    largest["currency"] = json!("EUR");
    assert_eq!(checked(largest).unwrap().lines[99].quantity, 10_000);
}

#[test]
fn the_field_that_is_wrong_is_named() {
    for (pointer, value, field) in [
        ("/customer_id", json!(""), "customer_id"),
        ("/customer_id", json!("jane doe"), "customer_id"),
        ("/customer_id", json!("x".repeat(65)), "customer_id"),
        ("/destination", json!("de"), "destination"),
        ("/destination", json!("DEU"), "destination"),
        ("/destination", json!(""), "destination"),
        ("/payment_token", json!(""), "payment_token"),
        ("/payment_token", json!("t".repeat(256)), "payment_token"),
        ("/payment_token", json!("4242-4242-4242-4242"), "payment_token"),
        ("/lines", json!([]), "lines"),
        ("/lines", lines(101), "lines"),
        ("/lines/1/sku", json!("no spaces"), "lines[1].sku"),
        ("/lines/1/sku", json!("TEA"), "lines[1].sku"),
        ("/lines/1/quantity", json!(0), "lines[1].quantity"),
        ("/lines/1/quantity", json!(-3), "lines[1].quantity"),
        ("/lines/0/quantity", json!(10_001), "lines[0].quantity"),
    ] {
        assert_eq!(refused_field(pointer, value.clone()), field, "{pointer} = {value}");
    }
    let mut body = good();
    body["currency"] = json!("euro");
    assert_eq!(field_of(checked(body).unwrap_err()), "currency");
}

#[test]
fn unknown_fields_are_refused() {
    let mut body = good();
    body["lines"][0]["price"] = json!(1);
    let error = serde_json::from_value::<NewOrder>(body).unwrap_err();
    assert!(error.to_string().contains("unknown field `price`"), "{error}");
}

#[test]
fn the_fingerprint_is_that_of_the_wish_and_not_of_the_json() {
    let first = checked(good()).unwrap();
    let again = checked(good()).unwrap();
    assert_ne!(first.order_id, again.order_id);
    assert_eq!(first.fingerprint, again.fingerprint);
    for (pointer, value) in [
        ("/customer_id", json!("customer-8")),
        ("/destination", json!("FR")),
        ("/payment_token", json!("tok_other")),
        ("/lines/0/quantity", json!(3)),
        ("/lines/1/sku", json!("MUG")),
    ] {
        let mut body = good();
        *body.pointer_mut(pointer).unwrap() = value;
        assert_ne!(checked(body).unwrap().fingerprint, first.fingerprint, "{pointer}");
    }
}
