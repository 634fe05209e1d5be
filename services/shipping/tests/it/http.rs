//! The HTTP adapter: what it sends, what it makes of every kind of answer, and that a shipment ends
//! one way whatever is lost.

use std::error::Error;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use chassis::Unanswered;
use events::{OrderId, RefusalReason};
use sandbox::ledger::ShipmentFigures;
use shipping::carrier::Http;
use shipping::domain::Input;
use tokio::net::{TcpListener, TcpSocket};

use crate::asked::Carrier as _;
use crate::simulator;

const KEY: &str = "sk_test_do_not_tell";

#[tokio::test]
async fn a_parcel_that_is_under_way_cannot_be_cancelled() {
    let carrier = simulator::start().await;
    let (client, order) = (carrier.client(), OrderId::now());
    // The booking is carried out and its answer lost; asking to cancel brings it to light.
    client.book(order, "TT").await.unwrap_err();
    let Input::Dispatched { tracking } = client.cancel(order).await.unwrap() else {
        panic!("cancelled although it was dispatched")
    };
    let Some(ShipmentFigures::Dispatched { tracking_code }) = carrier.shipment(order).await else {
        panic!("the carrier knows nothing of it")
    };
    assert_eq!(tracking, tracking_code);
}

#[tokio::test]
async fn a_shipment_that_was_cancelled_is_not_booked() {
    let carrier = simulator::start().await;
    let (client, order) = (carrier.client(), OrderId::now());
    assert_eq!(client.cancel(order).await.unwrap(), Input::Cancelled);
    assert_eq!(client.book(order, "DE").await.unwrap(), Input::Cancelled);
    assert_eq!(carrier.shipment(order).await, Some(ShipmentFigures::Cancelled));
}

#[tokio::test]
async fn a_slow_booking_loses_to_a_cancellation() {
    let carrier = simulator::start().await;
    let (client, order) = (carrier.client(), OrderId::now());
    client.book(order, "NZ").await.unwrap_err();
    assert_eq!(client.cancel(order).await.unwrap(), Input::Cancelled);
    assert_eq!(client.book(order, "NZ").await.unwrap(), Input::Cancelled);
}

#[tokio::test]
async fn goods_that_are_gone_are_dispatched_whatever_their_tracking_code_looks_like() {
    let long = "ä".repeat(60_000);
    for (sent, kept) in [
        ("PARCEL-1", "PARCEL-1"),
        ("PAR\\u0000CEL\\u001b[31m\\n1", "PARCEL[31m1"),
        ("\\u0000", "untracked"),
        ("", "untracked"),
        (&long, &long[..510]),
    ] {
        let body = format!(r#"{{"status":"dispatched","tracking_code":"{sent}"}}"#);
        let fake = Fake::start(StatusCode::OK, &body).await;
        let shipment = fake.client().book(OrderId::now(), "DE").await.unwrap();
        assert_eq!(shipment, Input::Dispatched { tracking: kept.to_owned() });
    }
}

#[tokio::test]
async fn a_wrong_key_is_no_outcome() {
    let carrier = simulator::start().await;
    let client = carrier.client_with_key("sk_live_of_somebody_else");
    let order = OrderId::now();
    client.book(order, "DE").await.unwrap_err();
    assert_eq!(carrier.shipment(order).await, None);
}

#[tokio::test]
async fn a_carrier_that_is_away_is_no_outcome() {
    // Bound and not listening: nobody else can answer there meanwhile.
    let nobody = TcpSocket::new_v4().unwrap();
    nobody.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!("http://{}", nobody.local_addr().unwrap());
    let client = Http::new(url.parse().unwrap(), KEY, Duration::from_secs(1)).unwrap();
    let unanswered = client.book(OrderId::now(), "DE").await.unwrap_err();
    tells_no_secret(&unanswered);
}

#[tokio::test]
async fn every_call_names_the_order_and_the_step() {
    let fake = Fake::start(StatusCode::OK, r#"{"status":"cancelled"}"#).await;
    let order = OrderId::now();
    fake.client().book(order, "DE").await.unwrap();
    fake.client().cancel(order).await.unwrap();
    let [booking, cancellation] = &fake.sent.lock().unwrap()[..] else { panic!("not two calls") };
    assert_eq!(booking.call, format!("PUT /base/v1/shipments/{order}"));
    assert_eq!(booking.headers["authorization"], format!("Bearer {KEY}"));
    assert_eq!(booking.headers["idempotency-key"], format!("{order}:book"));
    assert_eq!(booking.headers["content-type"], "application/json");
    assert_eq!(booking.body, r#"{"destination":"DE"}"#);
    assert_eq!(cancellation.call, format!("POST /base/v1/shipments/{order}/cancel"));
    assert_eq!(cancellation.headers["idempotency-key"], format!("{order}:cancel"));
}

#[tokio::test]
async fn an_answer_that_says_nothing_is_no_outcome() {
    let error = r#"{"error":{"type":"api_error"}}"#;
    let refusal = r#"{"error":{"type":"invalid_request_error","code":"parameter_invalid"}}"#;
    let booked_elsewhere = r#"{"error":{"type":"idempotency_error"}}"#;
    for (status, body) in [
        (200, "not JSON"),
        (200, "{}"),
        (200, r#"{"status":"on its way"}"#),
        (200, r#"{"status":"dispatched"}"#),
        (204, ""),
        (302, ""),
        (400, refusal),
        (400, "<html>a proxy</html>"),
        (401, refusal),
        (403, refusal),
        (404, refusal),
        (404, "not found"),
        (408, error),
        (409, booked_elsewhere),
        (429, error),
        (500, error),
        (502, "bad gateway"),
        (503, error),
        (504, error),
    ] {
        let fake = Fake::start(StatusCode::from_u16(status).unwrap(), body).await;
        let (client, order) = (fake.client(), OrderId::now());
        let answers = [client.book(order, "DE").await, client.cancel(order).await];
        for (nth, answer) in answers.into_iter().enumerate() {
            let unanswered = answer.expect_err(&format!("call {nth} of {status} {body}"));
            tells_no_secret(&unanswered);
        }
        // A redirection is not followed: it would carry the key away.
        assert_eq!(fake.sent.lock().unwrap().len(), 2, "{status} {body}");
    }
}

#[tokio::test]
async fn a_reason_that_is_not_known_refuses_all_the_same() {
    let body = r#"{"status":"refused","reason":"new_since_yesterday"}"#;
    let fake = Fake::start(StatusCode::OK, body).await;
    let shipment = fake.client().book(OrderId::now(), "DE").await.unwrap();
    assert_eq!(shipment, Input::Refused { reason: RefusalReason::Unknown });
}

#[tokio::test]
async fn an_endless_answer_is_cut_off() {
    let fake = Fake::start(StatusCode::OK, &" ".repeat(1024 * 1024)).await;
    let unanswered = fake.client().cancel(OrderId::now()).await.unwrap_err();
    assert!(chain(&unanswered).contains("more than"), "{}", chain(&unanswered));
}

fn chain(error: &dyn Error) -> String {
    let mut said = String::new();
    let mut next = Some(error);
    while let Some(error) = next {
        said += &format!("{error} {error:?} ");
        next = error.source();
    }
    said
}

fn tells_no_secret(unanswered: &Unanswered) {
    let said = chain(unanswered);
    assert!(!said.contains("do_not_tell"), "{said}");
}

/// A carrier that says the same to everything and keeps what it was sent.
struct Fake {
    url: String,
    sent: Arc<Mutex<Vec<Sent>>>,
}

struct Sent {
    call: String,
    headers: HeaderMap,
    body: String,
}

impl Fake {
    async fn start(status: StatusCode, body: &str) -> Fake {
        let sent = Arc::new(Mutex::new(Vec::new()));
        let state = (status, body.to_owned(), sent.clone());
        let app = Router::new().fallback(say).with_state(state);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        // The base may have a path of its own, and a slash or none at its end.
        let url = format!("http://{}/base/", listener.local_addr().unwrap());
        tokio::spawn(axum::serve(listener, app).into_future());
        Fake { url, sent }
    }

    fn client(&self) -> Http {
        Http::new(self.url.parse().unwrap(), KEY, Duration::from_secs(5)).unwrap()
    }
}

type Said = (StatusCode, String, Arc<Mutex<Vec<Sent>>>);

async fn say(State((status, body, sent)): State<Said>, request: Request) -> Response {
    let (parts, request_body) = request.into_parts();
    let bytes = axum::body::to_bytes(request_body, 64 * 1024).await.unwrap();
    sent.lock().unwrap().push(Sent {
        call: format!("{} {}", parts.method, parts.uri.path()),
        headers: parts.headers,
        body: String::from_utf8(bytes.to_vec()).unwrap(),
    });
    if status.is_redirection() {
        return Redirect::temporary("/elsewhere").into_response();
    }
    (status, body).into_response()
}
