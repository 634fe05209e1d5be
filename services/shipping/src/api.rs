//! The shipment of an order, for those who ask. Nothing can be done to a shipment here: it follows its
//! order, and what operators may do has an address of its own.

pub(crate) mod operate;

use axum::extract::State;
use chassis::{AnyProblem, Handle, Json, KeyedService, Path, Problem, Shown};
use chrono::{DateTime, Utc};
use events::OrderId;
use serde::{Deserialize, Serialize};
use sqlx::Row;
use utoipa::{OpenApi, ToSchema, openapi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::domain::{self, Call};
use crate::shipments::Shipments;

/// The routes of the service.
pub fn routes(handle: Handle<Shipments>) -> OpenApiRouter {
    described().with_state(handle)
}

/// What the routes are, as an OpenAPI document.
pub fn document() -> openapi::OpenApi {
    chassis::openapi::documented(Shipments::NAME, described().into_openapi())
}

fn described() -> OpenApiRouter<Handle<Shipments>> {
    OpenApiRouter::with_openapi(Tags::openapi()).routes(routes!(show))
}

#[derive(OpenApi)]
#[openapi(tags((name = "shipments", description = "where the parcel of an order is")))]
struct Tags;

/// The shipment of an order.
#[derive(Debug, Serialize, ToSchema)]
struct Shipment {
    order_id: Uuid,
    state: ShipmentState,
    /// Since when it is in this state.
    since: DateTime<Utc>,
    /// A country, ISO 3166. Missing when the order was to be cancelled before its confirmation was
    /// heard of.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, pattern = "^[A-Z]{2}$", example = "DE")]
    destination: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    tracking_code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    refusal_reason: Option<RefusalReason>,
    /// The call to the carrier whose outcome is not known yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    open_call: Option<OpenCall>,
}

/// A call whose outcome is not known yet.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OpenShipmentCall)]
struct OpenCall {
    step: Step,
    /// When the call is made again at the latest, should its outcome not have come back.
    #[schema(required = true)]
    next_attempt_at: Option<DateTime<Utc>>,
}

/// Where the parcel is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum ShipmentState {
    Booking,
    /// The order is to be cancelled; what comes first at the carrier decides.
    CancelAsked,
    Dispatched,
    Refused,
    Cancelled,
}

/// Why the carrier does not deliver.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum RefusalReason {
    Unknown,
    DestinationNotServed,
    GoodsNotAccepted,
}

/// What the carrier is asked to do.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ShipmentStep)]
#[serde(rename_all = "snake_case")]
enum Step {
    Book,
    Cancel,
}

impl Step {
    fn of(call: &Call) -> Self {
        match call {
            Call::Book { .. } => Step::Book,
            Call::Cancel { .. } => Step::Cancel,
        }
    }
}

/// Show the shipment of an order
///
/// It follows its order; nothing can be done to it here.
#[utoipa::path(
    get,
    path = "/shipments/{order_id}",
    tag = "shipments",
    operation_id = "get_shipment",
    params(("order_id" = Uuid, Path, description = "the order")),
    responses(
        (status = OK, description = "the shipment", body = Shipment),
        (status = NOT_FOUND, description = "no such order was heard of, or it is not confirmed yet",
            body = Problem, content_type = "application/problem+json"),
        AnyProblem,
    )
)]
async fn show(
    State(handle): State<Handle<Shipments>>,
    Path(order_id): Path<Uuid>,
) -> Result<Json<Shipment>, Problem> {
    show_shipment(&handle, order_id).await.map(Json)
}

/// The shipment as it is, or why it cannot be shown.
async fn show_shipment(handle: &Handle<Shipments>, order_id: Uuid) -> Result<Shipment, Problem> {
    let shown = chassis::find_row(handle.db(), OrderId(order_id)).await;
    let Some(shown) = shown.map_err(|error| unavailable(&error))? else {
        let detail = "no order with this id was confirmed; one that was just placed takes a moment";
        return Err(Problem::not_found("shipment_not_found", "there is no such shipment", detail));
    };
    shipment(handle, order_id, shown).await.map_err(|error| unavailable(&error))
}

/// Logs why, which is not the caller's business.
fn unavailable(error: &dyn std::error::Error) -> Problem {
    tracing::error!(error = %error, "shipments cannot be read");
    Problem::unavailable("the shipment cannot be read now")
}

async fn shipment(
    handle: &Handle<Shipments>,
    order_id: Uuid,
    shown: Shown<domain::State>,
) -> Result<Shipment, sqlx::Error> {
    let open_call = match shown.state.open_call(OrderId(order_id)) {
        Some(call) => {
            let next_attempt_at = chassis::next_attempt_at(handle.db(), order_id).await?;
            Some(OpenCall { step: Step::of(&call), next_attempt_at })
        }
        None => None,
    };
    let (state, tracking_code, refusal_reason) = match shown.state {
        domain::State::New => unreachable!("a shipment that was never heard of has no row"),
        domain::State::Booking { .. } => (ShipmentState::Booking, None, None),
        domain::State::CancelAsked { .. } => (ShipmentState::CancelAsked, None, None),
        domain::State::Dispatched { tracking } => (ShipmentState::Dispatched, Some(tracking), None),
        domain::State::Refused { reason } => (ShipmentState::Refused, None, Some(reason.into())),
        domain::State::Cancelled => (ShipmentState::Cancelled, None, None),
    };
    let since = shown.since.unwrap_or_default();
    let destination = shown.row.try_get("destination")?;
    Ok(Shipment { order_id, state, since, destination, tracking_code, refusal_reason, open_call })
}

impl From<events::RefusalReason> for RefusalReason {
    fn from(reason: events::RefusalReason) -> Self {
        match reason {
            events::RefusalReason::Unknown => RefusalReason::Unknown,
            events::RefusalReason::DestinationNotServed => RefusalReason::DestinationNotServed,
            events::RefusalReason::GoodsNotAccepted => RefusalReason::GoodsNotAccepted,
        }
    }
}

impl From<RefusalReason> for events::RefusalReason {
    fn from(reason: RefusalReason) -> Self {
        match reason {
            RefusalReason::Unknown => events::RefusalReason::Unknown,
            RefusalReason::DestinationNotServed => events::RefusalReason::DestinationNotServed,
            RefusalReason::GoodsNotAccepted => events::RefusalReason::GoodsNotAccepted,
        }
    }
}
