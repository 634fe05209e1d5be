//! The carrier's rules over HTTP.

use reqwest::{Method, StatusCode};
use sandbox::conduct::Change;
use serde_json::json;
use uuid::Uuid;

use crate::harness::{PATIENCE, send, simulator, well_behaved};

#[tokio::test]
async fn a_booked_shipment_is_dispatched_once() {
    let (client, order) = (well_behaved().await, Uuid::now_v7());
    let booked = client.book(order, "DE").await;
    assert_eq!((booked.status, &booked.body["status"]), (StatusCode::OK, &json!("dispatched")));
    assert!(booked.body["tracking_code"].as_str().unwrap().len() > 3);
    let again = client.book(order, "DE").await;
    assert_eq!((again.replayed, &again.body), (true, &booked.body));
    let shown = client.get(&format!("/v1/shipments/{order}")).await;
    assert_eq!(shown.body, booked.body);
    assert_eq!(client.get("/ledger").await.body["totals"]["shipments"]["dispatched"], 1);
}

#[tokio::test]
async fn destinations_that_the_carrier_does_not_serve_are_refused_with_the_reason() {
    let client = well_behaved().await;
    let table = [
        ("AQ", "destination_not_served"),
        ("XX", "goods_not_accepted"),
        ("nowhere", "destination_not_served"),
    ];
    for (destination, reason) in table {
        let order = Uuid::now_v7();
        let refused = client.book(order, destination).await;
        assert_eq!(refused.body, json!({ "status": "refused", "reason": reason }));
        assert_eq!(client.cancel_shipment(order).await.body, refused.body);
    }
}

#[tokio::test]
async fn a_shipment_that_was_cancelled_before_its_booking_is_never_dispatched() {
    let (client, order) = (well_behaved().await, Uuid::now_v7());
    let cancelled = json!({ "status": "cancelled" });
    assert_eq!(client.cancel_shipment(order).await.body, cancelled);
    assert_eq!(client.book(order, "DE").await.body, cancelled);
    assert_eq!(client.cancel_shipment(order).await.body, cancelled);
    let totals = &client.get("/ledger").await.body["totals"]["shipments"];
    assert_eq!(totals, &json!({ "dispatched": 0, "refused": 0, "cancelled": 1 }));
}

#[tokio::test]
async fn a_shipment_under_way_is_not_cancelled() {
    let (client, order) = (well_behaved().await, Uuid::now_v7());
    let booked = client.book(order, "US").await;
    assert_eq!(client.cancel_shipment(order).await.body, booked.body);
}

#[tokio::test]
async fn a_cancellation_overtakes_a_slow_booking() {
    let client =
        simulator(Change { slow_ms: Some(PATIENCE.as_millis() as u64 / 2), ..Change::default() })
            .await;
    let order = Uuid::now_v7();
    // A caller that gives up on the booking; the carrier goes on with it.
    let impatient = client.impatient(std::time::Duration::from_millis(50));
    assert!(impatient.try_book(order, "NZ").await.unwrap_err().is_timeout());
    let cancelled = json!({ "status": "cancelled" });
    assert_eq!(client.cancel_shipment(order).await.body, cancelled);
    // What is known is answered at once.
    assert_eq!(impatient.try_book(order, "NZ").await.unwrap().body, cancelled);
}

#[tokio::test]
async fn a_slow_booking_is_dispatched_when_nobody_cancels() {
    let client = simulator(Change { slow_ms: Some(20), ..Change::default() }).await;
    assert_eq!(client.book(Uuid::now_v7(), "NZ").await.body["status"], "dispatched");
}

#[tokio::test]
async fn a_booking_with_another_destination_is_an_idempotency_error() {
    let (client, order) = (well_behaved().await, Uuid::now_v7());
    client.book(order, "DE").await;
    let refused = client.book(order, "US").await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    assert_eq!(refused.error("type"), "idempotency_error");
}

#[tokio::test]
async fn a_booking_that_is_not_understood_is_refused_as_a_call_until_it_is_cancelled() {
    let (client, order) = (well_behaved().await, Uuid::now_v7());
    for _time in 0..2 {
        let refused = client.book(order, "ZZ").await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST);
        assert_eq!(refused.error("code"), "parameter_invalid");
    }
    let unknown = client.get(&format!("/v1/shipments/{order}")).await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    let cancelled = json!({ "status": "cancelled" });
    assert_eq!(client.cancel_shipment(order).await.body, cancelled);
    assert_eq!(client.book(order, "ZZ").await.body, cancelled);
}

#[tokio::test]
async fn calls_that_make_no_sense_are_refused() {
    let client = well_behaved().await;
    let path = format!("/v1/shipments/{}", Uuid::now_v7());
    for body in ["", "{}", "{\"destination\":7}", "[]"] {
        let put = client.request(Method::PUT, &path).header("content-type", "application/json");
        let refused = send(put.body(body)).await.unwrap();
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{body}");
    }
    let no_order = client.get("/v1/shipments/7").await;
    assert_eq!(no_order.error("param"), "order_id");
    assert_eq!(client.get(&path).await.error("code"), "resource_missing");
}
