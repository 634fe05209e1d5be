//! How the simulator misbehaves, on request: by test input and by settings.

use std::time::{Duration, Instant};

use reqwest::StatusCode;
use sandbox::conduct::Change;
use serde_json::json;
use uuid::Uuid;

use crate::harness::{Client, PATIENCE, authorization, intent, simulator, well_behaved};

const SHORT: Duration = Duration::from_millis(200);

async fn steps(client: &Client, order: Uuid, token: &str) -> Vec<reqwest::Result<StatusCode>> {
    let create = authorization(order, token, 500);
    let capture = format!("/v1/payment_intents/{}/capture", intent(order));
    let refund = format!("payment_intent={}", intent(order));
    let mut statuses = vec![];
    for (path, form) in
        [("/v1/payment_intents", create), (&capture, String::new()), ("/v1/refunds", refund)]
    {
        for _attempt in 0..2 {
            let key = format!("{order}{path}");
            let answer = client.try_post(path, &key, &form).await;
            statuses.push(answer.map(|answer| answer.status));
        }
    }
    statuses
}

#[tokio::test]
async fn a_timed_out_step_was_done_and_asking_again_tells_so() {
    let client = well_behaved().await;
    let order = Uuid::now_v7();
    let statuses = steps(&client.impatient(SHORT), order, "tok_timeout").await;
    for step in statuses.chunks(2) {
        assert!(step[0].as_ref().is_err_and(reqwest::Error::is_timeout), "{step:?}");
        assert_eq!(*step[1].as_ref().unwrap(), StatusCode::OK);
    }
    let figures = &client.get(&format!("/ledger/{order}")).await.body["payments"];
    assert_eq!(figures.as_array().unwrap().len(), 1);
    assert_eq!(
        (&figures[0]["captured_minor"], &figures[0]["refunded_minor"]),
        (&json!(500), &json!(500))
    );
}

#[tokio::test]
async fn a_step_that_fails_after_it_was_done_is_answered_when_asked_again() {
    let client = well_behaved().await;
    let statuses = steps(&client, Uuid::now_v7(), "tok_error").await;
    for step in statuses.chunks(2) {
        assert_eq!(*step[0].as_ref().unwrap(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(*step[1].as_ref().unwrap(), StatusCode::OK);
    }
}

#[tokio::test]
async fn a_slow_card_takes_the_slow_latency_and_is_done_even_if_the_caller_gives_up() {
    let slow = Duration::from_millis(600);
    let client = simulator(Change { slow_ms: Some(600), ..Change::default() }).await;
    let (order, started) = (Uuid::now_v7(), Instant::now());
    let impatient = client.impatient(SHORT);
    let form = authorization(order, "tok_slow", 500);
    loop {
        match impatient.try_post("/v1/payment_intents", "slow", &form).await {
            Ok(answer) => break assert_eq!(answer.status, StatusCode::OK),
            Err(error) => assert!(error.is_timeout() && started.elapsed() < PATIENCE, "{error}"),
        }
    }
    assert!(started.elapsed() >= slow);
    let other = Instant::now();
    client.authorize(Uuid::now_v7(), "tok_slow", 500).await;
    assert!(other.elapsed() >= slow);
}

#[tokio::test]
async fn the_first_answer_of_a_booking_is_lost_where_the_destination_says_so() {
    let client = well_behaved().await;
    let order = Uuid::now_v7();
    let impatient = client.impatient(SHORT);
    assert!(impatient.try_book(order, "TT").await.unwrap_err().is_timeout());
    assert_eq!(impatient.try_book(order, "TT").await.unwrap().body["status"], "dispatched");
}

#[tokio::test]
async fn refused_calls_do_nothing_and_may_be_repeated() {
    let client = simulator(Change { failure_rate: Some(1.0), ..Change::default() }).await;
    let order = Uuid::now_v7();
    for refused in [client.authorize(order, "tok_visa", 5).await, client.book(order, "DE").await] {
        assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(refused.retry_after);
    }
    assert_eq!(client.get("/ledger").await.body["totals"]["orders"], 0);
    client.control(&json!({ "failure_rate": 0.0 })).await;
    let authorized = client.authorize(order, "tok_visa", 5).await;
    assert_eq!((authorized.status, authorized.replayed), (StatusCode::OK, false));
}

#[tokio::test]
async fn a_share_of_the_calls_fails() {
    let client = simulator(Change { failure_rate: Some(0.3), ..Change::default() }).await;
    let mut refused = 0;
    for _call in 0..300 {
        let answer = client.cancel_shipment(Uuid::now_v7()).await;
        refused += u32::from(answer.status == StatusCode::SERVICE_UNAVAILABLE);
    }
    assert!((60..120).contains(&refused), "{refused}");
}

#[tokio::test]
async fn calls_without_an_answer_were_carried_out() {
    let client = simulator(Change { lose_answer_rate: Some(1.0), ..Change::default() }).await;
    let impatient = client.impatient(SHORT);
    let (order, form) = (Uuid::now_v7(), authorization(Uuid::nil(), "tok_visa", 5));
    assert!(impatient.try_book(order, "DE").await.unwrap_err().is_timeout());
    let lost = impatient.try_post("/v1/payment_intents", "k", &form).await;
    assert!(lost.unwrap_err().is_timeout());
    client.control(&json!({ "lose_answer_rate": 0.0 })).await;
    assert!(client.book(order, "DE").await.replayed);
    assert!(client.post("/v1/payment_intents", "k", &form).await.replayed);
}

#[tokio::test]
async fn an_answer_is_not_held_back_for_ever() {
    let change = Change { lose_answer_rate: Some(1.0), hold_ms: Some(10), ..Change::default() };
    let client = simulator(change).await;
    let answer = client.book(Uuid::now_v7(), "DE").await;
    assert_eq!(answer.status, StatusCode::GATEWAY_TIMEOUT);
}

#[tokio::test]
async fn latency_is_added_to_every_call() {
    let client = simulator(Change { latency_ms: Some(150), ..Change::default() }).await;
    let started = Instant::now();
    client.book(Uuid::now_v7(), "DE").await;
    assert!(started.elapsed() >= Duration::from_millis(150));
}
