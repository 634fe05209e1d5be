//! What bad input gets: a problem document that names the field.

use e2e::shop::{order_of, send};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::shop;

#[tokio::test]
async fn a_bad_order_is_refused_with_the_name_of_the_field() {
    let shop = shop().await;
    let sku = shop.item(1).await.unwrap();
    let good = order_of(&[(&sku, 1)], "DE", "tok_visa");
    let with = |path: &str, value: Value| {
        let mut body = good.clone();
        *body.pointer_mut(path).unwrap() = value;
        body
    };
    let many: Vec<Value> =
        (0..101).map(|n| json!({ "sku": format!("sku-{n}"), "quantity": 1 })).collect();
    let twice = json!([{ "sku": sku, "quantity": 1 }, { "sku": sku, "quantity": 2 }]);
    let mut currency = good.clone();
    currency["currency"] = json!("USD");
    let mut unknown_field = good.clone();
    unknown_field["coupon"] = json!("x");
    let mut missing = good.clone();
    missing.as_object_mut().unwrap().remove("destination");
    for (what, body, field) in [
        ("unknown SKU", with("/lines/0/sku", json!("no-such-sku")), "lines[0].sku"),
        ("zero quantity", with("/lines/0/quantity", json!(0)), "lines[0].quantity"),
        ("negative quantity", with("/lines/0/quantity", json!(-1)), "lines[0].quantity"),
        ("huge quantity", with("/lines/0/quantity", json!(10_001)), "lines[0].quantity"),
        ("a quantity that is a text", with("/lines/0/quantity", json!("1")), "lines[0].quantity"),
        ("no lines", with("/lines", json!([])), "lines"),
        ("more than 100 lines", with("/lines", json!(many)), "lines"),
        ("duplicate lines", with("/lines", twice), "lines[1].sku"),
        ("wrong currency", currency, "currency"),
        ("a destination that is none", with("/destination", json!("Germany")), "destination"),
        ("an empty token", with("/payment_token", json!("")), "payment_token"),
        ("an empty customer", with("/customer_id", json!("")), "customer_id"),
        ("an unknown field", unknown_field, "coupon"),
        ("a missing field", missing, "destination"),
    ] {
        let (status, problem) =
            shop.place_with_key(&body, &Uuid::new_v4().to_string()).await.unwrap();
        assert_eq!(status, 422, "{what}: {problem}");
        assert_eq!(problem["field"], field, "{what}: {problem}");
        assert_eq!(problem["status"], 422, "{what}: {problem}");
        assert!(problem["title"].is_string() && problem["type"].is_string(), "{what}: {problem}");
    }
    assert_eq!(shop.units(&sku).await.unwrap(), (1, 0, 0));
}

#[tokio::test]
async fn a_request_that_is_no_order_at_all_is_refused() {
    let shop = shop().await;
    let json_type = ("content-type", "application/json");
    let array = r#"["abuse",[["abuse",1]],"DE","tok_visa","EUR"]"#;
    let arrays =
        r#"{"customer_id":"c","lines":[["tea",1]],"destination":"DE","payment_token":"t"}"#;
    let huge = format!("{{\"customer_id\":\"{}\"}}", "x".repeat(70_000));
    for (what, method, path, header, body, status, code) in [
        ("malformed JSON", "POST", "/orders", json_type, "{", 400, "malformed_json"),
        ("array", "POST", "/orders", json_type, array, 422, "invalid_field"),
        ("array of lines", "POST", "/orders", json_type, arrays, 422, "invalid_field"),
        ("oversized body", "POST", "/orders", json_type, huge.as_str(), 413, "body_too_large"),
        (
            "wrong type",
            "POST",
            "/orders",
            ("content-type", "text/plain"),
            "{}",
            415,
            "unsupported_media_type",
        ),
        ("unknown route", "GET", "/nowhere", json_type, "", 404, "unknown_route"),
        ("wrong method", "DELETE", "/orders", json_type, "", 405, "method_not_allowed"),
    ] {
        let request = shop.request(method, "order", path).unwrap().header("Idempotency-Key", "any");
        let request = request.header(header.0, header.1).body(body.to_owned());
        let (found, problem) = send(request).await.unwrap();
        assert_eq!((found, problem["code"].as_str()), (status, Some(code)), "{what}: {problem}");
    }
}

#[tokio::test]
async fn an_order_needs_an_idempotency_key_and_an_unknown_order_is_not_found() {
    let shop = shop().await;
    let body = order_of(&[("any", 1)], "DE", "tok_visa");
    let (status, problem) = shop.post("order", "/orders", &body).await.unwrap();
    assert_eq!(status, 400, "{problem}");
    let nobody = Uuid::new_v4();
    for path in [format!("/orders/{nobody}"), format!("/orders/{nobody}/events")] {
        assert_eq!(shop.get("order", &path).await.unwrap().0, 404, "{path}");
    }
    for verb in ["cancel", "return"] {
        assert_eq!(shop.act(nobody, verb).await.unwrap().0, 404, "{verb}");
    }
    // The caller was told; an operator has nothing to do with it.
    let log = shop.fleet.environment().settings().log("order");
    let log = std::fs::read_to_string(log).unwrap();
    assert!(!log.contains(&nobody.to_string()), "{log}");
    for (service, path) in [
        ("order", "/orders/no-id"),
        ("payment", "/payments/no-id"),
        ("shipping", "/shipments/no-id"),
    ] {
        let (status, problem) = shop.get(service, path).await.unwrap();
        assert_eq!((status, &problem["field"]), (400, &json!("order_id")), "{path}: {problem}");
    }
    assert_eq!(shop.get("payment", &format!("/payments/{nobody}")).await.unwrap().0, 404);
    assert_eq!(shop.get("shipping", &format!("/shipments/{nobody}")).await.unwrap().0, 404);
}

#[tokio::test]
async fn a_bad_adjustment_is_refused_and_a_repeated_one_counts_once() {
    let shop = shop().await;
    let sku = shop.item(3).await.unwrap();
    for (delta, status) in [(0, 422), (-4, 409), (i64::MAX, 422)] {
        let key = Uuid::new_v4().to_string();
        let (found, problem) = shop.adjust(&sku, delta, &key).await.unwrap();
        assert_eq!(found, status, "{delta}: {problem}");
    }
    assert_eq!(shop.adjust("no-such-sku", 1, "any").await.unwrap().0, 404);
    let key = format!("delivery-{sku}");
    for _ in 0..3 {
        assert_eq!(shop.adjust(&sku, 10, &key).await.unwrap().1["free"], 13);
    }
    let (status, problem) = shop.adjust(&sku, 11, &key).await.unwrap();
    assert_eq!((status, &problem["field"]), (422, &json!("Idempotency-Key")), "{problem}");
    let path = format!("/stock/{sku}/adjustments");
    let (status, problem) = shop.post("inventory", &path, &json!({ "delta": 1 })).await.unwrap();
    assert_eq!((status, &problem["field"]), (400, &json!("Idempotency-Key")), "{problem}");
}

#[tokio::test]
async fn a_catalogue_with_a_mistake_is_refused_whole_with_the_name_of_the_field() {
    let shop = shop().await;
    let good =
        json!({ "sku": "catalogue-1", "name": "A", "unit_price_minor": 1, "currency": "EUR" });
    let with = |name: &str, value: Value| {
        let mut entry = good.clone();
        entry[name] = value;
        json!([good, entry])
    };
    let long = json!({ "sku": "catalogue-2", "name": "x".repeat(201), "unit_price_minor": 1,
                       "currency": "EUR" });
    for (what, body, field) in [
        ("a SKU twice", json!([good, good]), json!("[1].sku")),
        ("an unknown field", with("free", json!(7)), json!("[1].free")),
        ("a SKU that URLs take for a folder", with("sku", json!("..")), json!("[1].sku")),
        ("an array in place of an item", json!([["x", "X", 1, "EUR"]]), json!("[0]")),
        ("no items", json!([]), Value::Null),
        ("a long name", json!([good, long]), json!("[1].name")),
    ] {
        let (status, problem) = shop.put("inventory", "/stock", &body).await.unwrap();
        assert_eq!((status, &problem["field"]), (422, &field), "{what}: {problem}");
    }
    assert_eq!(shop.get("inventory", "/stock/catalogue-1").await.unwrap().0, 404);
}

#[tokio::test]
async fn lists_are_read_by_one_convention() {
    let shop = shop().await;
    let skus = [shop.item(0).await.unwrap(), shop.item(0).await.unwrap()];
    for path in ["/orders", "/stock"] {
        let service = if path == "/orders" { "order" } else { "inventory" };
        for (query, field) in
            [("limit=0", "limit"), ("limit=501", "limit"), ("limit=x", "limit"), ("page=2", "page")]
        {
            let (status, problem) = shop.get(service, &format!("{path}?{query}")).await.unwrap();
            let found = (status, &problem["field"], &problem["code"]);
            assert_eq!(found, (400, &json!(field), &json!("invalid_query")), "{path}: {problem}");
        }
    }
    let mut cursor = String::new();
    let mut found = Vec::new();
    loop {
        let path = format!("/stock?limit=1{cursor}");
        let (status, page) = shop.get("inventory", &path).await.unwrap();
        assert_eq!(status, 200, "{page}");
        let items = page["items"].as_array().unwrap();
        found.extend(items.iter().map(|item| item["sku"].as_str().unwrap().to_owned()));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert!(skus.iter().all(|sku| found.contains(sku)) && found.is_sorted(), "{found:?}");
}

#[tokio::test]
async fn a_nul_in_a_request_is_refused_with_the_name_of_the_field() {
    let shop = shop().await;
    let item = json!({ "name": "a\0b", "unit_price_minor": 1, "currency": "EUR" });
    for (method, service, path, body, status, field) in [
        ("GET", "order", "/orders?customer_id=%00", None, 400, "customer_id"),
        ("GET", "order", "/orders?cursor=%00", None, 400, "cursor"),
        ("GET", "inventory", "/stock?cursor=%00", None, 400, "cursor"),
        ("GET", "inventory", "/stock/%00", None, 400, "sku"),
        ("PUT", "inventory", "/stock/%00", Some(&item), 400, "sku"),
        ("PUT", "inventory", "/stock/nul", Some(&item), 422, "name"),
    ] {
        let mut request = shop.request(method, service, path).unwrap();
        if let Some(body) = body {
            request = request.json(body);
        }
        let (found, problem) = send(request).await.unwrap();
        assert_eq!((found, &problem["field"]), (status, &json!(field)), "{path}: {problem}");
    }
}

#[tokio::test]
async fn every_service_describes_its_routes_and_their_problems() {
    let shop = shop().await;
    for (service, path) in [
        ("order", "/orders/{order_id}/cancel"),
        ("payment", "/payments/{order_id}"),
        ("inventory", "/stock/{sku}/adjustments"),
        ("shipping", "/shipments/{order_id}"),
    ] {
        let (status, document) = shop.get(service, "/openapi.json").await.unwrap();
        assert_eq!((status, &document["openapi"]), (200, &json!("3.1.0")), "{service}");
        let paths = document["paths"].as_object().unwrap();
        assert!(paths.contains_key(path), "{service}: {:?}", paths.keys().collect::<Vec<_>>());
        for (path, methods) in paths {
            for (method, operation) in methods.as_object().unwrap() {
                let statuses = operation["responses"].as_object().unwrap();
                let with_body = operation.get("requestBody").map(|_| ["413", "415", "422"]);
                for status in
                    ["400", "429", "503"].into_iter().chain(with_body.into_iter().flatten())
                {
                    assert!(
                        statuses.contains_key(status),
                        "{status} of {method} {path}, {service}"
                    );
                }
            }
        }
        let (status, page) = shop.get(service, "/docs").await.unwrap();
        assert!(status == 200 && page.as_str().unwrap().contains("<html"), "{service}");
    }
}
