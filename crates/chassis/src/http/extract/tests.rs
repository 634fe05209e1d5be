//! Bodies that are what they should be, and those that only look alike.

use axum::body::Body;
use axum::extract::Request;
use serde::Deserialize;
use serde_json::Value;

use super::*;

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    customer: String,
    lines: Vec<Line>,
    currency: Option<String>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    sku: String,
    quantity: i64,
}

fn refused(body: &str) -> Value {
    let problem = parse::<Order>(body.as_bytes()).unwrap_err();
    serde_json::to_value(problem).unwrap()
}

#[test]
fn an_object_is_read_with_its_optional_fields() {
    for (currency, text) in
        [(None, ""), (None, r#","currency":null"#), (Some("EUR"), r#","currency":"EUR""#)]
    {
        let body = format!(r#"{{"customer":"c","lines":[{{"sku":"tea","quantity":2}}]{text}}}"#);
        let line = Line { sku: "tea".to_owned(), quantity: 2 };
        let order = Order {
            customer: "c".to_owned(),
            lines: vec![line],
            currency: currency.map(str::to_owned),
        };
        assert_eq!(parse::<Order>(body.as_bytes()).unwrap(), order);
    }
}

#[test]
fn an_array_is_no_object_on_any_level_and_the_field_is_named() {
    for (body, field) in [
        (r#"["c",[["tea",1]],null]"#, Value::Null),
        (r#"{"customer":"c","lines":[["tea",1]]}"#, "lines[0]".into()),
    ] {
        let problem = refused(body);
        assert_eq!(problem["status"], 422, "{problem}");
        assert_eq!(problem["field"], field, "{problem}");
    }
}

#[test]
fn what_is_missing_unknown_doubled_or_of_a_wrong_type_is_named_with_its_place() {
    for (body, field) in [
        (r#"{"lines":[]}"#, "customer"),
        (r#"{"customer":"c","lines":[],"coupon":1}"#, "coupon"),
        (r#"{"customer":"c","customer":"d","lines":[]}"#, "customer"),
        (r#"{"customer":7,"lines":[]}"#, "customer"),
        (r#"{"customer":"c","lines":[{"sku":"tea"}]}"#, "lines[0].quantity"),
        (r#"{"customer":"c","lines":[{"sku":"tea","quantity":1,"x":1}]}"#, "lines[0].x"),
        (r#"{"customer":"c","lines":[{"sku":"tea","quantity":"1"}]}"#, "lines[0].quantity"),
        (r#"{"customer":"c","lines":[{"sku":"tea","quantity":1.5}]}"#, "lines[0].quantity"),
    ] {
        let problem = refused(body);
        assert_eq!(problem["field"], field, "{body}: {problem}");
        assert_eq!(problem["code"], "invalid_field", "{body}: {problem}");
    }
    for body in ["{", "", r#"{"customer":"c","lines":[]} {}"#, "\u{feff}{}"] {
        assert_eq!(refused(body)["code"], "malformed_json", "{body}");
    }
}

async fn send(headers: &[(&str, &str)], body: Body) -> Problem {
    let mut request = Request::builder().method("POST");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Json::<Order>::from_request(request.body(body).unwrap(), &()).await.unwrap_err()
}

#[tokio::test]
async fn a_compressed_body_and_one_that_is_no_json_are_unsupported() {
    let json = ("content-type", "application/json");
    let problem = send(&[json, ("content-encoding", "gzip")], Body::from("x")).await;
    assert_eq!(problem.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    for kind in ["text/plain", "application/jsonx"] {
        let problem = send(&[("content-type", kind)], Body::from("{}")).await;
        assert_eq!(problem.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE, "{kind}");
    }
    let problem =
        send(&[("content-type", "Application/JSON; charset=utf-8")], Body::from("{")).await;
    assert_eq!(problem.status(), StatusCode::BAD_REQUEST, "it is read as JSON");
}

#[tokio::test]
async fn a_body_that_stalls_is_the_callers_delay_and_not_the_services() {
    let body = whole(std::future::pending(), Duration::from_millis(1)).await;
    assert_eq!(body.unwrap_err().status(), StatusCode::REQUEST_TIMEOUT);
}

#[tokio::test]
async fn an_idempotency_key_is_one_header_of_visible_characters() {
    let long = "k".repeat(256);
    for (values, code) in [
        (&[][..], Some("idempotency_key_required")),
        (&["a", "b"], Some("invalid_header")),
        (&[""], Some("invalid_header")),
        (&["a b"], Some("invalid_header")),
        (&[long.as_str()], Some("invalid_header")),
        (&[&long[1..]], None),
        (&["0190c7a2-5a54"], None),
    ] {
        let mut request = Request::builder();
        for value in values {
            request = request.header(IDEMPOTENCY_KEY, *value);
        }
        let (mut parts, _) = request.body(Body::empty()).unwrap().into_parts();
        let key = IdempotencyKey::from_request_parts(&mut parts, &()).await;
        let problem = key.err().map(|problem| serde_json::to_value(problem).unwrap());
        let found = problem.as_ref().map(|problem| problem["code"].as_str().unwrap());
        assert_eq!(found, code, "{values:?}");
    }
}
