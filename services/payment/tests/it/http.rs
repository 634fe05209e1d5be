//! The HTTP adapter: what it sends, what it makes of every kind of answer, and that money moves once
//! whatever is lost.

use std::error::Error;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use chassis::Unanswered;
use events::{DeclineReason, OrderId};
use payment::domain::Input;
use payment::provider::Http;
use tokio::net::{TcpListener, TcpSocket};

use crate::asked::Provider as _;
use crate::simulator::{self, FRESH, eur};

const KEY: &str = "sk_test_do_not_tell";
const TOKEN: &str = "tok_do_not_tell";

#[tokio::test]
async fn money_moves_once_though_every_first_answer_is_lost() {
    let provider = simulator::start().await;
    let client = provider.client();
    for token in ["tok_timeout", "tok_error"] {
        let [taken, voided] = [OrderId::now(), OrderId::now()];
        for order in [taken, voided] {
            client.authorize(order, eur(700), token, FRESH).await.unwrap_err();
            client.authorize(order, eur(700), token, FRESH).await.unwrap();
        }
        let held = provider.payments(taken).await[0].id.to_string();
        client.capture(taken, &held, eur(700)).await.unwrap_err();
        client.capture(taken, &held, eur(700)).await.unwrap();
        client.refund(taken, &held, eur(700)).await.unwrap_err();
        client.refund(taken, &held, eur(700)).await.unwrap();
        let [payment] = &provider.payments(taken).await[..] else { panic!("charged twice") };
        assert_eq!((payment.captured_minor, payment.refunded_minor), (700, 700));

        let held = provider.payments(voided).await[0].id.to_string();
        client.void(voided, &held).await.unwrap_err();
        client.void(voided, &held).await.unwrap();
        let [payment] = &provider.payments(voided).await[..] else { panic!("authorized twice") };
        assert_eq!((payment.held_minor, payment.voided_minor), (0, 700));
    }
}

#[tokio::test]
async fn a_wrong_key_is_no_outcome() {
    let provider = simulator::start().await;
    let client = provider.client_with_key("sk_live_of_somebody_else");
    let order = OrderId::now();
    client.authorize(order, eur(100), "tok_visa", FRESH).await.unwrap_err();
    assert_eq!(provider.payments(order).await.len(), 0);
}

#[tokio::test]
async fn a_provider_that_is_away_is_no_outcome() {
    // Bound and not listening: nobody else can answer there meanwhile.
    let nobody = TcpSocket::new_v4().unwrap();
    nobody.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!("http://{}", nobody.local_addr().unwrap());
    let client = Http::new(url.parse().unwrap(), KEY, Duration::from_secs(1)).unwrap();
    let unanswered = client.authorize(OrderId::now(), eur(100), TOKEN, FRESH).await.unwrap_err();
    tells_no_secret(&unanswered);
}

#[tokio::test]
async fn every_call_has_the_conventional_form() {
    let fake = Fake::start(
        StatusCode::OK,
        r#"{"id":"pi_1","object":"payment_intent","status":"requires_capture"}"#,
    )
    .await;
    let order = OrderId::now();
    fake.client().authorize(order, eur(1050), TOKEN, FRESH).await.unwrap();
    let sent = fake.sent.lock().unwrap().pop().unwrap();
    assert_eq!(sent.path, "/base/v1/payment_intents");
    assert_eq!(sent.headers["authorization"], format!("Bearer {KEY}"));
    assert_eq!(sent.headers["idempotency-key"], format!("{order}:authorize"));
    assert_eq!(sent.headers["content-type"], "application/x-www-form-urlencoded");
    for pair in [
        "amount=1050",
        "currency=eur",
        "payment_method=tok_do_not_tell",
        "capture_method=manual",
        "confirm=true",
        &format!("metadata%5Border_id%5D={order}"),
    ] {
        assert!(sent.body.split('&').any(|sent| sent == pair), "{pair} is not in {}", sent.body);
    }

    let fake = Fake::start(StatusCode::OK, r#"{"object":"refund","status":"succeeded"}"#).await;
    fake.client().refund(order, "pi_1", eur(1050)).await.unwrap();
    let sent = fake.sent.lock().unwrap().pop().unwrap();
    assert_eq!((&*sent.path, &*sent.body), ("/base/v1/refunds", "payment_intent=pi_1&amount=1050"));
    assert_eq!(sent.headers["idempotency-key"], format!("{order}:refund"));
}

/// An id comes from the provider, and is a path segment here: it must not become another path.
#[tokio::test]
async fn an_authorization_cannot_change_the_path() {
    let fake =
        Fake::start(StatusCode::OK, r#"{"object":"payment_intent","status":"canceled"}"#).await;
    fake.client().void(OrderId::now(), "../a/b?c").await.unwrap();
    let sent = fake.sent.lock().unwrap().pop().unwrap();
    assert_eq!(sent.path, "/base/v1/payment_intents/..%2Fa%2Fb%3Fc/cancel");
}

#[tokio::test]
async fn an_answer_that_says_nothing_is_no_outcome() {
    let error = r#"{"error":{"type":"api_error"}}"#;
    let refusal = r#"{"error":{"type":"invalid_request_error","code":"parameter_unknown"}}"#;
    let reused = r#"{"error":{"type":"idempotency_error"}}"#;
    let declined_without_bank = r#"{"error":{"type":"api_error","code":"card_declined"}}"#;
    for (status, body) in [
        (200, "not JSON"),
        (200, "{}"),
        (200, r#"{"id":"pi_1","status":"processing"}"#),
        (204, ""),
        (302, ""),
        (400, refusal),
        (400, reused),
        (400, "<html>a proxy</html>"),
        (401, refusal),
        (402, "<html>a proxy</html>"),
        (402, declined_without_bank),
        (403, refusal),
        (404, refusal),
        (404, "not found"),
        (408, error),
        (409, reused),
        (429, error),
        (500, error),
        (502, "bad gateway"),
        (503, error),
        (504, error),
    ] {
        let fake = Fake::start(StatusCode::from_u16(status).unwrap(), body).await;
        let (client, order) = (fake.client(), OrderId::now());
        let answers = [
            client.authorize(order, eur(100), TOKEN, FRESH).await,
            client.capture(order, "pi_1", eur(100)).await,
            client.void(order, "pi_1").await,
            client.refund(order, "pi_1", eur(100)).await,
        ];
        for (nth, answer) in answers.into_iter().enumerate() {
            let unanswered = answer.expect_err(&format!("call {nth} of {status} {body}"));
            tells_no_secret(&unanswered);
        }
        // A redirection is not followed: it would carry the key away.
        assert_eq!(fake.sent.lock().unwrap().len(), 4, "{status} {body}");
    }
}

#[tokio::test]
async fn what_the_customer_sent_is_declined_when_the_provider_does_not_know_it() {
    for (status, body) in [
        (
            400,
            r#"{"error":{"type":"invalid_request_error","code":"resource_missing","param":"payment_method"}}"#,
        ),
        (400, r#"{"error":{"type":"invalid_request_error","code":"amount_too_small"}}"#),
        (200, r#"{"id":"pi_1","status":"requires_action"}"#),
        (402, r#"{"error":{"type":"card_error","code":"authentication_required"}}"#),
    ] {
        let fake = Fake::start(StatusCode::from_u16(status).unwrap(), body).await;
        let answer = fake.client().authorize(OrderId::now(), eur(100), TOKEN, FRESH).await.unwrap();
        assert_eq!(answer, Input::Declined { reason: DeclineReason::Unknown }, "{body}");
    }
}

/// Providers forget idempotency keys after a day. A step that was carried out before is refused then,
/// and the refusal shows that it is done.
#[tokio::test]
async fn a_step_that_was_done_long_ago_is_done() {
    let refused = |status: &str| {
        format!(
            r#"{{"error":{{"type":"invalid_request_error","code":"payment_intent_unexpected_state",
                "payment_intent":{{"id":"pi_1","object":"payment_intent","status":"{status}"}}}}}}"#
        )
    };
    let order = OrderId::now();
    let fake = Fake::start(StatusCode::BAD_REQUEST, &refused("succeeded")).await;
    fake.client().capture(order, "pi_1", eur(100)).await.unwrap();
    fake.client().void(order, "pi_1").await.unwrap_err();
    fake.client().refund(order, "pi_1", eur(100)).await.unwrap_err();

    let fake = Fake::start(StatusCode::BAD_REQUEST, &refused("canceled")).await;
    fake.client().void(order, "pi_1").await.unwrap();
    fake.client().capture(order, "pi_1", eur(100)).await.unwrap_err();
}

/// It counts what is still on its way, and what the bank sends back later.
#[tokio::test]
async fn a_refund_whose_key_is_forgotten_is_done_when_the_bank_has_all_of_it() {
    let refund = |status, amount: i64| {
        format!(r#"{{"id":"re_1","object":"refund","status":"{status}","amount":{amount}}}"#)
    };
    for (refunds, arrived) in [
        (vec![refund("succeeded", 100)], true),
        (vec![refund("succeeded", 60), refund("failed", 40), refund("succeeded", 40)], true),
        (vec![refund("pending", 100)], false),
        (vec![refund("failed", 100)], false),
        (vec![refund("canceled", 100)], false),
        (vec![refund("pending", 40), refund("succeeded", 60)], false),
        (vec![refund("failed", 40), refund("succeeded", 60)], false),
        (vec![], false),
    ] {
        let body = r#"{"error":{"type":"invalid_request_error","code":"charge_already_refunded"}}"#;
        let found = format!(r#"{{"object":"list","data":[{}]}}"#, refunds.join(","));
        let fake = Fake::start_with(StatusCode::BAD_REQUEST, body, Some(&found)).await;
        let answer = fake.client().refund(OrderId::now(), "pi_1", eur(100)).await;
        assert_eq!(answer.is_ok(), arrived, "{found}");
        let asked = fake.sent.lock().unwrap().pop().unwrap();
        assert_eq!(asked.path, "/base/v1/refunds?payment_intent=pi_1&limit=100");
    }
}

#[tokio::test]
async fn a_hold_under_an_id_that_cannot_be_kept_is_no_outcome_and_the_id_is_not_repeated() {
    let long = "do_not_tell".repeat(20_000);
    for id in ["pi_do_not_tell\\u0000", "pi_do not_tell", "pi_do_not_tell_\u{e4}", "", &long] {
        let body =
            format!(r#"{{"id":"{id}","object":"payment_intent","status":"requires_capture"}}"#);
        let fake = Fake::start(StatusCode::OK, &body).await;
        let unanswered =
            fake.client().authorize(OrderId::now(), eur(100), TOKEN, FRESH).await.unwrap_err();
        assert!(chain(&unanswered).contains("the id of the hold"), "{}", chain(&unanswered));
        tells_no_secret(&unanswered);
    }
}

#[tokio::test]
async fn codes_of_a_refusal_are_cut_before_anybody_logs_them() {
    let body = format!(r#"{{"error":{{"type":"a\u0000b","code":"{}"}}}}"#, "x".repeat(200_000));
    let fake = Fake::start(StatusCode::BAD_REQUEST, &body).await;
    let said = chain(&fake.client().void(OrderId::now(), "pi_1").await.unwrap_err());
    assert!(said.len() < 2_000 && said.contains("\"ab\""), "{said}");
}

#[tokio::test]
async fn an_endless_answer_is_cut_off() {
    let fake = Fake::start(StatusCode::OK, &" ".repeat(1024 * 1024)).await;
    let unanswered = fake.client().void(OrderId::now(), "pi_1").await.unwrap_err();
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

/// A provider that says the same to everything, or to all that is posted, and keeps what it was sent.
struct Fake {
    url: String,
    sent: Arc<Mutex<Vec<Sent>>>,
}

struct Sent {
    path: String,
    headers: HeaderMap,
    body: String,
}

impl Fake {
    async fn start(status: StatusCode, body: &str) -> Fake {
        Fake::start_with(status, body, None).await
    }

    /// The same, and `found` is what it says when it is asked for what it has.
    async fn start_with(status: StatusCode, body: &str, found: Option<&str>) -> Fake {
        let sent = Arc::new(Mutex::new(Vec::new()));
        let said = Says { status, body: body.to_owned(), found: found.map(str::to_owned) };
        let state = (said, sent.clone());
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

#[derive(Clone)]
struct Says {
    status: StatusCode,
    body: String,
    found: Option<String>,
}

type Said = (Says, Arc<Mutex<Vec<Sent>>>);

async fn say(State((said, sent)): State<Said>, request: Request) -> Response {
    let Says { status, body, found } = said;
    let is_question = request.method() == Method::GET;
    let (parts, request_body) = request.into_parts();
    let bytes = axum::body::to_bytes(request_body, 64 * 1024).await.unwrap();
    sent.lock().unwrap().push(Sent {
        path: parts.uri.to_string(),
        headers: parts.headers,
        body: String::from_utf8(bytes.to_vec()).unwrap(),
    });
    if status.is_redirection() {
        return Redirect::temporary("/elsewhere").into_response();
    }
    match found {
        Some(found) if is_question => found.into_response(),
        Some(_) | None => (status, body).into_response(),
    }
}
