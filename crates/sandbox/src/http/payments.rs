//! The payment provider's routes: a payment intent with manual capture, after the public conventions
//! of such APIs.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::carry_out;
use super::error::{ApiError, card_codes};
use super::form::{self, Form};
use crate::ledger::{PaymentAct, PaymentStep, Receipt};
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
    let step = PaymentStep::Authorise {
        order: form.order("metadata[order_id]")?,
        token: form.required("payment_method")?.into(),
        minor: form.required_integer("amount")?,
        currency: form.currency("currency")?,
    };
    let act = act(&headers, step)?;
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
    let act = act(&headers, step)?;
    Ok(carry_out(&simulator, act, |receipt| Json(intent_json(&receipt)).into_response()).await)
}

pub(super) async fn cancel(
    State(simulator): Shared,
    Path(id): Path<String>,
    headers: HeaderMap,
    _form: Form,
) -> Result<Response, ApiError> {
    let act = act(&headers, PaymentStep::Cancel { intent: form::intent(&id)? })?;
    Ok(carry_out(&simulator, act, |receipt| Json(intent_json(&receipt)).into_response()).await)
}

pub(super) async fn refund(
    State(simulator): Shared,
    headers: HeaderMap,
    form: Form,
) -> Result<Response, ApiError> {
    let intent = form::intent(form.required("payment_intent")?)?;
    let step = PaymentStep::Refund { intent, minor: form.integer("amount")? };
    let act = act(&headers, step)?;
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

#[expect(
    clippy::disallowed_methods,
    reason = "the provider is another company, with clocks of its own"
)]
fn act(headers: &HeaderMap, step: PaymentStep) -> Result<PaymentAct, ApiError> {
    let key = form::idempotency_key(headers)?;
    Ok(PaymentAct { key, at_seconds: chrono::Utc::now().timestamp(), step })
}

/// A payment that was declined exists all the same, and its creation is answered as an error.
fn created(receipt: &Receipt) -> Response {
    let intent = intent_json(receipt);
    match receipt.account.status {
        Status::RequiresPaymentMethod(reason) => ApiError::declined(reason, intent).into_response(),
        Status::RequiresCapture | Status::Succeeded | Status::Canceled => {
            Json(intent).into_response()
        }
    }
}

fn intent_json(receipt: &Receipt) -> Value {
    let account = &receipt.account;
    let last_payment_error = match account.status {
        Status::RequiresPaymentMethod(reason) => {
            let (code, decline_code) = card_codes(reason);
            json!({ "type": "card_error", "code": code, "decline_code": decline_code })
        }
        Status::RequiresCapture | Status::Succeeded | Status::Canceled => Value::Null,
    };
    json!({
        "id": receipt.id,
        "object": "payment_intent",
        "status": account.status.name(),
        "amount": account.amount_minor,
        "amount_capturable": account.held_minor(),
        "amount_received": account.captured_minor,
        "currency": account.currency,
        "capture_method": "manual",
        "payment_method": receipt.token,
        "metadata": { "order_id": receipt.id.order },
        "created": receipt.created_seconds,
        "livemode": false,
        "last_payment_error": last_payment_error,
    })
}

fn refund_json(receipt: &Receipt) -> Value {
    let (nth, minor) = receipt.refund.map_or((0, 0), |refund| (refund.nth, refund.minor));
    let payment = receipt.id.to_string();
    let id = payment.replacen("pi_", "re_", 1);
    json!({
        "id": if nth > 1 { format!("{id}_r{nth}") } else { id },
        "object": "refund",
        "status": "succeeded",
        "amount": minor,
        "currency": receipt.account.currency,
        "payment_intent": payment,
    })
}
