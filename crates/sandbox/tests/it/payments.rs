//! The payment provider's rules over HTTP.

use reqwest::{Method, StatusCode};
use sandbox::conduct::Change;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{Client, authorization, intent, send, simulator, well_behaved};

#[tokio::test]
async fn a_payment_is_authorized_captured_and_refunded() {
    let (client, order) = (well_behaved().await, Uuid::now_v7());
    let created = client.authorize(order, "tok_visa", 1_250).await;
    assert_eq!(created.status, StatusCode::OK);
    assert_eq!(created.body["id"], json!(intent(order)));
    assert_eq!(created.body["status"], "requires_capture");
    assert_eq!(created.body["metadata"]["order_id"], json!(order));
    assert_eq!(created.body["amount_capturable"], 1_250);

    let captured = client.capture(order).await;
    assert_eq!(captured.body["status"], "succeeded");
    assert_eq!(captured.body["amount_received"], 1_250);

    let form = format!("payment_intent={}&amount=250", intent(order));
    let refunded = client.post("/v1/refunds", "r", &form).await;
    assert_eq!((refunded.status, &refunded.body["amount"]), (StatusCode::OK, &json!(250)));
    assert_eq!(refunded.body["status"], "succeeded");
    let rest = client.post("/v1/refunds", "r2", &format!("payment_intent={}", intent(order))).await;
    assert_eq!(rest.body["amount"], 1_000);
    assert_ne!(rest.body["id"], refunded.body["id"]);

    let now = client.get(&format!("/v1/payment_intents/{}", intent(order))).await;
    assert_eq!(now.body["status"], "succeeded");
}

#[tokio::test]
async fn a_declined_card_is_answered_402_with_the_reason() {
    let client = well_behaved().await;
    let table = [
        ("tok_declined", "card_declined", "generic_decline"),
        ("tok_unheard_of", "card_declined", "generic_decline"),
        ("tok_insufficient_funds", "card_declined", "insufficient_funds"),
        ("tok_expired", "expired_card", "expired_card"),
    ];
    for (token, code, decline_code) in table {
        let order = Uuid::now_v7();
        for again in [false, true] {
            let declined = client.authorize(order, token, 500).await;
            assert_eq!(declined.status, StatusCode::PAYMENT_REQUIRED, "{token}");
            assert_eq!(declined.error("type"), "card_error");
            assert_eq!(declined.error("code"), code, "{token}");
            assert_eq!(declined.error("decline_code"), decline_code, "{token}");
            let status = &declined.body["error"]["payment_intent"]["status"];
            assert_eq!(status, "requires_payment_method");
            assert_eq!(declined.replayed, again);
        }
        let refused = client.capture(order).await;
        assert_eq!(refused.error("code"), "payment_intent_unexpected_state");
    }
}

#[tokio::test]
async fn the_same_key_and_call_is_answered_the_same_and_done_once() {
    let (client, order) = (well_behaved().await, Uuid::now_v7());
    let first = client.authorize(order, "tok_visa", 500).await;
    client.capture(order).await;
    let again = client.authorize(order, "tok_visa", 500).await;
    assert_eq!((first.replayed, again.replayed), (false, true));
    // As it was then, although it has been captured meanwhile.
    assert_eq!(again.body, first.body);
    let captured_again = client.capture(order).await;
    assert_eq!(captured_again.body["amount_received"], 500);
    let ledger = client.get(&format!("/ledger/{order}")).await.body;
    assert_eq!(ledger["payments"].as_array().unwrap().len(), 1);
    assert_eq!(ledger["payments"][0]["captured_minor"], 500);
}

#[tokio::test]
async fn the_same_key_with_another_call_is_an_idempotency_error() {
    let (client, order) = (well_behaved().await, Uuid::now_v7());
    let key = "one-key";
    let form = authorization(order, "tok_visa", 500);
    client.post("/v1/payment_intents", key, &form).await;
    let other_amount = authorization(order, "tok_visa", 501);
    let other_order = authorization(Uuid::now_v7(), "tok_visa", 500);
    let capture = format!("/v1/payment_intents/{}/capture", intent(order));
    for (path, form) in [
        ("/v1/payment_intents", other_amount.as_str()),
        ("/v1/payment_intents", other_order.as_str()),
        (capture.as_str(), ""),
    ] {
        let refused = client.post(path, key, form).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST);
        assert_eq!(refused.error("type"), "idempotency_error");
    }
    let ledger = client.get("/ledger").await.body;
    assert_eq!(ledger["totals"]["payments"]["eur"]["authorized_minor"], 500);
}

#[tokio::test]
async fn a_step_that_the_money_does_not_allow_is_refused_and_does_nothing() {
    let (client, order) = (well_behaved().await, Uuid::now_v7());
    let path = |step: &str| format!("/v1/payment_intents/{}/{step}", intent(order));
    let refund = |amount: i64| format!("payment_intent={}&amount={amount}", intent(order));
    let code = |answer: crate::harness::Answer| {
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{answer:?}");
        answer.error("code").to_owned()
    };
    client.authorize(order, "tok_visa", 500).await;
    let state = "payment_intent_unexpected_state";
    assert_eq!(code(client.post("/v1/refunds", "1", &refund(1)).await), state);
    let too_much = client.post(&path("capture"), "2", "amount_to_capture=501").await;
    assert_eq!(code(too_much), "amount_too_large");

    // The refused call is not remembered, so its key is still free for the right one.
    let captured = client.post(&path("capture"), "2", "amount_to_capture=400").await;
    assert_eq!((captured.status, captured.replayed), (StatusCode::OK, false));
    assert_eq!(code(client.post(&path("capture"), "3", "").await), state);
    assert_eq!(code(client.post(&path("cancel"), "4", "").await), state);
    assert_eq!(code(client.post("/v1/refunds", "5", &refund(401)).await), "amount_too_large");
    client.post("/v1/refunds", "6", &refund(400)).await;
    assert_eq!(code(client.post("/v1/refunds", "7", &refund(1)).await), "charge_already_refunded");

    let figures = &client.get(&format!("/ledger/{order}")).await.body["payments"][0];
    assert_eq!(figures["authorized_minor"], 500);
    assert_eq!(figures["voided_minor"], 100);
    assert_eq!(figures["captured_minor"], 400);
    assert_eq!(figures["refunded_minor"], 400);
}

#[tokio::test]
async fn a_cancelled_payment_holds_nothing_and_is_not_captured() {
    let (client, order) = (well_behaved().await, Uuid::now_v7());
    client.authorize(order, "tok_visa", 500).await;
    let path = format!("/v1/payment_intents/{}/cancel", intent(order));
    for again in [false, true] {
        let cancelled = client.post(&path, "c", "").await;
        assert_eq!(cancelled.body["status"], "canceled");
        assert_eq!(cancelled.body["amount_capturable"], 0);
        assert_eq!(cancelled.replayed, again);
    }
    assert_eq!(client.capture(order).await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn wrong_parameters_are_named() {
    let client = well_behaved().await;
    let order = Uuid::now_v7();
    let good = authorization(order, "tok_visa", 500);
    let table = [
        ("amount=500&", "", "amount", "parameter_missing"),
        ("amount=500", "amount=5.00", "amount", "parameter_invalid_integer"),
        ("amount=500", "amount=99999999999999999999", "amount", "parameter_invalid_integer"),
        ("currency=eur", "currency=euro", "currency", "parameter_invalid"),
        ("=manual", "=automatic", "capture_method", "parameter_invalid"),
        ("confirm=true", "confirm=false", "confirm", "parameter_invalid"),
        ("payment_method=tok_visa&", "", "payment_method", "parameter_missing"),
    ];
    for (from, to, param, code) in table {
        let form = good.replacen(from, to, 1);
        assert_ne!(form, good, "{from}");
        let refused = client.post("/v1/payment_intents", "k", &form).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{form}");
        assert_eq!((refused.error("param"), refused.error("code")), (param, code), "{form}");
    }
    for amount in [0, -5] {
        let refused = client.authorize(Uuid::now_v7(), "tok_visa", amount).await;
        assert_eq!(refused.error("code"), "amount_too_small");
    }
    assert_eq!(client.get("/ledger").await.body["totals"]["orders"], 0);
}

#[tokio::test]
async fn calls_without_key_or_credentials_are_refused() {
    let client = well_behaved().await;
    let form = authorization(Uuid::now_v7(), "tok_visa", 500);
    let request = || {
        let request = client.request(Method::POST, "/v1/payment_intents").body(form.clone());
        request.header("content-type", "application/x-www-form-urlencoded")
    };
    let no_key = send(request()).await.unwrap();
    assert_eq!(no_key.error("code"), "idempotency_key_missing");
    let long_key = send(request().header("idempotency-key", "k".repeat(256))).await.unwrap();
    assert_eq!(long_key.error("code"), "idempotency_key_missing");

    let (plain, path) = (reqwest::Client::builder().no_proxy().build().unwrap(), "/v1/refunds");
    for authorization in ["", "Bearer ", "Bearer sk_live_x", "Bearer sk_test_", "Basic sk_test_x"] {
        let url = request().build().unwrap().url().join(path).unwrap();
        let refused = send(plain.post(url).header("authorization", authorization)).await.unwrap();
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{authorization}");
    }
}

#[tokio::test]
async fn what_does_not_exist_is_missing() {
    let (client, order) = (well_behaved().await, Uuid::now_v7());
    for id in [intent(order), "pi_nonsense".into(), format!("{}_2", intent(order))] {
        let missing = client.post(&format!("/v1/payment_intents/{id}/capture"), "k", "").await;
        assert_eq!(missing.status, StatusCode::NOT_FOUND);
        assert_eq!(missing.error("code"), "resource_missing");
        let missing = client.get(&format!("/v1/payment_intents/{id}")).await;
        assert_eq!(missing.error("code"), "resource_missing");
    }
    assert_eq!(client.get("/v1/nothing").await.status, StatusCode::NOT_FOUND);
    let only_posted = format!("/v1/payment_intents/{}/capture", intent(order));
    let wrong_method = client.get(&only_posted).await;
    assert_eq!(wrong_method.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(wrong_method.error("type"), "invalid_request_error");
}

#[tokio::test]
async fn bodies_that_are_too_large_or_of_another_type_are_refused() {
    let client = well_behaved().await;
    let large = client.post("/v1/refunds", "k", &"x=1&".repeat(20_000)).await;
    assert_eq!(large.status, StatusCode::PAYLOAD_TOO_LARGE);
    let json = client.request(Method::POST, "/v1/refunds").header("idempotency-key", "k");
    let refused = send(json.json(&json!({ "payment_intent": "pi_1" }))).await.unwrap();
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
}

async fn found(client: &Client, order: Uuid) -> Vec<Value> {
    let path =
        format!("/v1/payment_intents/search?query=metadata%5B%27order_id%27%5D:%27{order}%27");
    let answer = client.get(&path).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    answer.body["data"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_key_that_is_forgotten_stands_for_another_call_and_the_payments_are_found_by_their_order()
{
    let change = Change { key_memory_ms: Some(0), ..Change::default() };
    let (client, order) = (simulator(change).await, Uuid::now_v7());
    assert_eq!(found(&client, order).await, Vec::<Value>::new());
    let first = client.authorize(order, "tok_visa", 500).await;
    let second = client.authorize(order, "tok_visa", 500).await;
    assert_eq!((first.replayed, second.replayed), (false, false));
    let both = found(&client, order).await;
    assert_eq!(both, [first.body, second.body]);
    client.control(&json!({ "search_lag_ms": 3_600_000 })).await;
    assert_eq!(found(&client, order).await, Vec::<Value>::new(), "too young to be found");
    let wrong = client.get("/v1/payment_intents/search?query=status:%27succeeded%27").await;
    assert_eq!((wrong.status, wrong.error("param")), (StatusCode::BAD_REQUEST, "query"));
}

#[tokio::test]
async fn a_broken_card_stands_under_its_key_as_a_server_error_whether_or_not_it_was_done() {
    for (token, done) in [("tok_broken", 0), ("tok_broken_after", 1)] {
        let (client, order) = (well_behaved().await, Uuid::now_v7());
        for replayed in [false, true, true] {
            let answer = client.authorize(order, token, 500).await;
            assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
            assert_eq!(answer.replayed, replayed, "{token}");
        }
        assert_eq!(found(&client, order).await.len(), done, "{token}");
        let form = authorization(order, token, 500);
        let other = client.post("/v1/payment_intents", "another key", &form).await;
        assert_eq!(
            (other.status, &other.body["status"]),
            (StatusCode::OK, &json!("requires_capture"))
        );
    }
}

#[tokio::test]
async fn a_hold_that_expired_is_not_captured_and_the_refusal_shows_the_payment() {
    let (client, order) = (well_behaved().await, Uuid::now_v7());
    client.authorize(order, "tok_hold_expires", 500).await;
    let refused = client.capture(order).await;
    assert_eq!(refused.error("code"), "payment_intent_unexpected_state");
    assert_eq!(refused.body["error"]["payment_intent"]["status"], "canceled");
    let figures = &client.get(&format!("/ledger/{order}")).await.body["payments"][0];
    assert_eq!((&figures["held_minor"], &figures["captured_minor"]), (&json!(0), &json!(0)));
}

#[tokio::test]
async fn a_refund_that_is_pending_is_done_later_or_fails_and_the_money_is_where_it_says() {
    for (token, end, refunded) in
        [("tok_refund_pending", "succeeded", 500), ("tok_refund_fails", "failed", 0)]
    {
        let (client, order) = (well_behaved().await, Uuid::now_v7());
        client.authorize(order, token, 500).await;
        client.capture(order).await;
        let form = format!("payment_intent={}", intent(order));
        let refund = client.post("/v1/refunds", "r", &form).await;
        assert_eq!(refund.body["status"], "pending");
        let path = format!("/v1/refunds/{}", refund.body["id"].as_str().unwrap());
        assert_eq!(client.get(&path).await.body["status"], end);
        let list = client.get(&format!("/v1/refunds?payment_intent={}", intent(order))).await.body;
        assert_eq!(
            (&list["data"][0]["id"], &list["data"][0]["status"]),
            (&refund.body["id"], &json!(end))
        );
        let figures = &client.get(&format!("/ledger/{order}")).await.body["payments"][0];
        assert_eq!(figures["refunded_minor"], refunded, "{token}");
    }
}
