//! The gate in front of a service's routes, without a port.

use std::pin::pin;

use axum::body::to_bytes;
use axum::http::header::RETRY_AFTER;
use axum::routing::get;
use futures::poll;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use serde_json::Value;
use tokio::sync::Notify;

use super::*;

/// Longer than any test takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// One place, and a route that answers when told to.
fn gate(health: Health, patience: Duration) -> (Router, Arc<Notify>) {
    let gate = Gate { places: Semaphore::new(1), patience, health: Arc::new(health) };
    let answer = Arc::new(Notify::new());
    let told = Arc::clone(&answer);
    let route = get(async move || told.notified().await);
    (gate.in_front_of(Router::new().route("/", route)), answer)
}

fn started() -> Health {
    let health = Health::new(1);
    health.set_started();
    health
}

async fn ask(router: &Router) -> Response {
    let service = TowerToHyperService::new(router.clone());
    service.call(Request::new(Body::empty())).await.unwrap()
}

/// The status and code of a problem that says when to come back.
async fn refused(router: &Router) -> (StatusCode, String) {
    let response = ask(router).await;
    assert_eq!(response.headers()[RETRY_AFTER], "1");
    let status = response.status();
    let body = to_bytes(response.into_body(), MAX_BODY_BYTES).await.unwrap();
    let problem: Value = serde_json::from_slice(&body).unwrap();
    (status, problem["code"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_request_beyond_those_under_way_is_told_to_come_back_and_finds_a_place_then() {
    let (router, answer) = gate(started(), PATIENCE);
    {
        let mut first = pin!(ask(&router));
        assert!(poll!(&mut first).is_pending());
        let busy = (StatusCode::TOO_MANY_REQUESTS, "busy".to_owned());
        assert_eq!(refused(&router).await, busy);
        answer.notify_one();
        assert_eq!(first.await.status(), StatusCode::OK);
    }
    answer.notify_one();
    assert_eq!(ask(&router).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_caller_who_hangs_up_gives_its_place_back() {
    let (router, answer) = gate(started(), PATIENCE);
    {
        let mut first = pin!(ask(&router));
        assert!(poll!(&mut first).is_pending());
    }
    answer.notify_one();
    assert_eq!(ask(&router).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn an_answer_that_does_not_begin_in_time_is_a_503_and_its_place_is_free() {
    let (router, _never) = gate(started(), Duration::ZERO);
    let late = (StatusCode::SERVICE_UNAVAILABLE, "timeout".to_owned());
    for _ in 0..2 {
        assert_eq!(refused(&router).await, late);
    }
}

#[tokio::test]
async fn a_service_that_is_not_ready_sends_its_callers_elsewhere() {
    let (router, _never) = gate(Health::new(1), PATIENCE);
    let not_ready = (StatusCode::SERVICE_UNAVAILABLE, "not_ready".to_owned());
    assert_eq!(refused(&router).await, not_ready);
}
