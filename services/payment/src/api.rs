//! The payment of an order, for those who ask. Nothing can be done to a payment here: it follows its
//! order, and what operators may do has an address of its own.

pub(crate) mod operate;

use axum::extract::State;
use chassis::{AnyProblem, Handle, Json, KeyedService, Path, Problem, Shown};
use chrono::{DateTime, Utc};
use events::{Currency, OrderId};
use serde::Serialize;
use sqlx::Row;
use utoipa::{OpenApi, ToSchema, openapi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::domain::{self, Call};
use crate::payments::Payments;
use crate::rows;

/// The routes of the service.
pub fn routes(handle: Handle<Payments>) -> OpenApiRouter {
    described().with_state(handle)
}

/// What the routes are, as an OpenAPI document.
pub fn document() -> openapi::OpenApi {
    chassis::openapi::documented(Payments::NAME, described().into_openapi())
}

fn described() -> OpenApiRouter<Handle<Payments>> {
    OpenApiRouter::with_openapi(Tags::openapi()).routes(routes!(show))
}

#[derive(OpenApi)]
#[openapi(tags((name = "payments", description = "where the money of an order is")))]
struct Tags;

/// The payment of an order.
#[derive(Debug, Serialize, ToSchema)]
struct Payment {
    order_id: Uuid,
    state: PaymentState,
    /// Since when it is in this state.
    since: DateTime<Utc>,
    /// In minor units. Missing when the order was cancelled before its placing was heard of.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 0, example = 1780)]
    amount_minor: Option<i64>,
    /// ISO 4217.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false, pattern = "^[A-Z]{3}$", example = "EUR")]
    currency: Option<Currency>,
    /// The provider's id of what it holds, or held.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "pi_3MtwBwLkdIwHu7ix28a3tqPa")]
    authorization_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    decline_reason: Option<DeclineReason>,
    /// The call to the provider whose outcome is not known yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    open_call: Option<OpenCall>,
}

/// A call whose outcome is not known yet.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OpenPaymentCall)]
struct OpenCall {
    step: Step,
    /// When the call is made again at the latest, should its outcome not have come back.
    #[schema(required = true)]
    next_attempt_at: Option<DateTime<Utc>>,
}

/// Where the money is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum PaymentState {
    Authorizing,
    Authorized,
    Declined,
    /// The order is cancelled; what the authorisation may turn out to hold will be voided.
    VoidAfterAuthorizing,
    Voiding,
    Voided,
    Capturing,
    Received,
    Refunding,
    Refunded,
}

/// Why the money was refused.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum DeclineReason {
    Unknown,
    CardDeclined,
    InsufficientFunds,
    ExpiredCard,
}

/// What the provider is asked to do.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PaymentStep)]
#[serde(rename_all = "snake_case")]
enum Step {
    Authorize,
    Capture,
    Void,
    Refund,
}

impl Step {
    fn of(call: &Call) -> Self {
        match call {
            Call::Authorize { .. } => Step::Authorize,
            Call::Capture { .. } => Step::Capture,
            Call::Void { .. } => Step::Void,
            Call::Refund { .. } => Step::Refund,
        }
    }
}

/// Show the payment of an order
///
/// It follows its order; nothing can be done to it here.
#[utoipa::path(
    get,
    path = "/payments/{order_id}",
    tag = "payments",
    operation_id = "get_payment",
    params(("order_id" = Uuid, Path, description = "the order")),
    responses(
        (status = OK, description = "the payment", body = Payment),
        (status = NOT_FOUND, description = "no such order was heard of, or not yet",
            body = Problem, content_type = "application/problem+json"),
        AnyProblem,
    )
)]
async fn show(
    State(handle): State<Handle<Payments>>,
    Path(order_id): Path<Uuid>,
) -> Result<Json<Payment>, Problem> {
    show_payment(&handle, order_id).await.map(Json)
}

/// The payment as it is, or why it cannot be shown.
async fn show_payment(handle: &Handle<Payments>, order_id: Uuid) -> Result<Payment, Problem> {
    let shown = chassis::find_row(handle.db(), OrderId(order_id)).await;
    let Some(shown) = shown.map_err(|error| unavailable(&error))? else {
        let detail = "no order with this id was heard of; one that was just placed takes a moment";
        return Err(Problem::not_found("payment_not_found", "there is no such payment", detail));
    };
    payment(handle, order_id, shown).await.map_err(|error| unavailable(&error))
}

/// Logs why, which is not the caller's business.
fn unavailable(error: &dyn std::error::Error) -> Problem {
    tracing::error!(error = %error, "payments cannot be read");
    Problem::unavailable("the payment cannot be read now")
}

async fn payment(
    handle: &Handle<Payments>,
    order_id: Uuid,
    shown: Shown<domain::State>,
) -> Result<Payment, sqlx::Error> {
    let open_call = match shown.state.open_call(OrderId(order_id)) {
        Some(call) => {
            let next_attempt_at = chassis::next_attempt_at(handle.db(), order_id).await?;
            Some(OpenCall { step: Step::of(&call), next_attempt_at })
        }
        None => None,
    };
    let (state, decline_reason) = match shown.state {
        domain::State::New => unreachable!("a payment that was never heard of has no row"),
        domain::State::Authorizing { .. } => (PaymentState::Authorizing, None),
        domain::State::Authorized { .. } => (PaymentState::Authorized, None),
        domain::State::Declined { reason } => (PaymentState::Declined, Some(reason.into())),
        domain::State::VoidAfterAuthorizing { .. } => (PaymentState::VoidAfterAuthorizing, None),
        domain::State::Voiding { .. } => (PaymentState::Voiding, None),
        domain::State::Voided => (PaymentState::Voided, None),
        domain::State::Capturing { .. } => (PaymentState::Capturing, None),
        domain::State::Received { .. } => (PaymentState::Received, None),
        domain::State::Refunding { .. } => (PaymentState::Refunding, None),
        domain::State::Refunded { .. } => (PaymentState::Refunded, None),
    };
    let amount = rows::amount_of(&shown.row)?;
    Ok(Payment {
        order_id,
        state,
        since: shown.since.unwrap_or_default(),
        amount_minor: amount.map(|amount| amount.minor),
        currency: amount.map(|amount| amount.currency),
        authorization_id: shown.row.try_get("authorization_id")?,
        decline_reason,
        open_call,
    })
}

impl From<events::DeclineReason> for DeclineReason {
    fn from(reason: events::DeclineReason) -> Self {
        match reason {
            events::DeclineReason::Unknown => DeclineReason::Unknown,
            events::DeclineReason::CardDeclined => DeclineReason::CardDeclined,
            events::DeclineReason::InsufficientFunds => DeclineReason::InsufficientFunds,
            events::DeclineReason::ExpiredCard => DeclineReason::ExpiredCard,
        }
    }
}
