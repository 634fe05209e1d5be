//! The payment provider's routes: a payment intent with manual capture, after the public conventions
//! of such APIs.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::carry_out;
use super::error::ApiError;
use super::form::{self, Form};
use super::intent::intent_json;
use crate::ledger::{PaymentAct, PaymentStep, Receipt, RefundMade, RefundStatus};
use crate::payment::Status;
use crate::simulator::Simulator;

type Shared = State<Arc<Simulator>>;

pub(super) async fn create(
    State(simulator): Shared,
    headers: HeaderMap,
    form: Form,
) -> Result<Response, ApiError> {
    form.exactly("capture_method", "manual")?;
    form.exactly("confirm", "true")?;
    let step = PaymentStep::Authorize {
        order: form.order("metadata[order_id]")?,
        token: form.required("payment_method")?.into(),
        minor: form.required_integer("amount")?,
        currency: form.currency("currency")?,
    };
    let act = act(&simulator, &headers, step)?;
    Ok(carry_out(&simulator, act, |receipt| created(&receipt)).await)
}

pub(super) async fn capture(
    State(simulator): Shared,
    Path(id): Path<String>,
    headers: HeaderMap,
    form: Form,
) -> Result<Response, ApiError> {
    let intent = form::intent(&id)?;
    let step = PaymentStep::Capture { intent, minor: form.integer("amount_to_capture")? };
    let act = act(&simulator, &headers, step)?;
    Ok(carry_out(&simulator, act, |receipt| Json(intent_json(&receipt)).into_response()).await)
}

pub(super) async fn cancel(
    State(simulator): Shared,
    Path(id): Path<String>,
    headers: HeaderMap,
    _form: Form,
) -> Result<Response, ApiError> {
    let act = act(&simulator, &headers, PaymentStep::Cancel { intent: form::intent(&id)? })?;
    Ok(carry_out(&simulator, act, |receipt| Json(intent_json(&receipt)).into_response()).await)
}

pub(super) async fn refund(
    State(simulator): Shared,
    headers: HeaderMap,
    form: Form,
) -> Result<Response, ApiError> {
    let intent = form::intent(form.required("payment_intent")?)?;
    let step = PaymentStep::Refund { intent, minor: form.integer("amount")? };
    let act = act(&simulator, &headers, step)?;
    Ok(carry_out(&simulator, act, |receipt| Json(refund_json(&receipt)).into_response()).await)
}

pub(super) async fn show(
    State(simulator): Shared,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let id = form::intent(&id)?;
    let receipt = simulator.look_up(|ledger| ledger.payment(id)).await??;
    Ok(Json(intent_json(&receipt)))
}

/// The payments of an order, as the public search finds them: by `metadata['order_id']:'…'`, and with a
/// delay.
pub(super) async fn search(
    State(simulator): Shared,
    query: Result<Query<Search>, QueryRejection>,
) -> Result<Json<Value>, ApiError> {
    let Query(search) = query.map_err(|rejection| ApiError::invalid(rejection.body_text()))?;
    let plain = search.query.replace('"', "'");
    let order = plain.trim().strip_prefix("metadata['order_id']:'");
    let order = order.and_then(|rest| Uuid::try_parse(rest.strip_suffix('\'')?).ok());
    let order = order.ok_or_else(|| {
        let message = "Only metadata['order_id']:'…' is simulated.";
        ApiError::invalid_param("query", "parameter_invalid", message)
    })?;
    let until = seconds_ago(simulator.conduct.settings().search_lag_ms);
    let payments = simulator.look_up(|ledger| ledger.payments(order)).await?;
    let shown = payments.iter().filter(|payment| payment.created_seconds <= until);
    let data: Vec<Value> = shown.map(intent_json).collect();
    Ok(Json(
        json!({ "object": "search_result", "data": data, "has_more": false, "next_page": null }),
    ))
}

/// What to search for.
#[derive(Deserialize)]
pub(super) struct Search {
    query: String,
}

/// The refunds of a payment, the latest first, on one page.
pub(super) async fn list_refunds(
    State(simulator): Shared,
    query: Result<Query<OfPayment>, QueryRejection>,
) -> Result<Json<Value>, ApiError> {
    let Query(of) = query.map_err(|rejection| ApiError::invalid(rejection.body_text()))?;
    let intent = form::intent(&of.payment_intent)?;
    let refunds = simulator.look_up(|ledger| ledger.refunds(intent)).await??;
    let data: Vec<Value> = refunds.iter().map(refund_json).collect();
    Ok(Json(json!({ "object": "list", "data": data, "has_more": false })))
}

/// Whose refunds to list.
#[derive(Deserialize)]
pub(super) struct OfPayment {
    payment_intent: String,
}

/// A refund as it is now.
pub(super) async fn show_refund(
    State(simulator): Shared,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let missing = || ApiError::missing("No such refund.");
    let rest = id.strip_prefix("re_").ok_or_else(missing)?;
    let (payment, nth) = rest.split_once("_r").unwrap_or((rest, "1"));
    let payment = form::intent(&format!("pi_{payment}"))?;
    let nth = nth.parse().map_err(|_| missing())?;
    let receipt = simulator.look_up(|ledger| ledger.refund(payment, nth)).await?;
    Ok(Json(refund_json(&receipt.ok_or_else(missing)?)))
}

fn act(
    simulator: &Simulator,
    headers: &HeaderMap,
    step: PaymentStep,
) -> Result<PaymentAct, ApiError> {
    let key = form::idempotency_key(headers)?;
    let keys_since_seconds = match simulator.conduct.settings().key_memory_ms {
        // Not even a key of this very second.
        0 => i64::MAX,
        memory_ms => seconds_ago(memory_ms),
    };
    Ok(PaymentAct { key, at_seconds: seconds_ago(0), keys_since_seconds, step })
}

#[expect(
    clippy::disallowed_methods,
    reason = "the provider is another company, with clocks of its own"
)]
fn seconds_ago(ms: u64) -> i64 {
    let ms = i64::try_from(ms).unwrap_or(i64::MAX);
    chrono::Utc::now().timestamp_millis().saturating_sub(ms).div_euclid(1_000)
}

/// A declined payment still exists, but its creation is answered as an error.
fn created(receipt: &Receipt) -> Response {
    let intent = intent_json(receipt);
    match receipt.account.status {
        Status::RequiresPaymentMethod(reason) => ApiError::declined(reason, intent).into_response(),
        Status::RequiresCapture | Status::Succeeded | Status::Canceled => {
            Json(intent).into_response()
        }
    }
}

fn refund_json(receipt: &Receipt) -> Value {
    let nothing = RefundMade { nth: 0, minor: 0, status: RefundStatus::Succeeded };
    let RefundMade { nth, minor, status } = receipt.refund.unwrap_or(nothing);
    let payment = receipt.id.to_string();
    let id = payment.replacen("pi_", "re_", 1);
    json!({
        "id": if nth > 1 { format!("{id}_r{nth}") } else { id },
        "object": "refund",
        "status": status.name(),
        "amount": minor,
        "currency": receipt.account.currency,
        "payment_intent": payment,
    })
}
