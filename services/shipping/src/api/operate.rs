//! What operators may do, on the admin port: see which calls to the carrier stay open, and say what became
//! of one where the carrier does not. Separate from what everybody may ask.

use std::sync::Arc;

use axum::extract::State;
use chassis::{
    AnyProblem, BodyProblem, Handle, Json, OpenCall, OpenFor, Path, Problem, Query, Reply,
    Settlement,
};
use chrono::{DateTime, Utc};
use events::OrderId;
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::{RefusalReason, Shipment, Step, show_shipment, unavailable};
use crate::domain::{self, Call};
use crate::shipments::{Input, Shipments};

/// The routes on the admin port.
pub(crate) fn routes(handle: Handle<Shipments>) -> OpenApiRouter {
    OpenApiRouter::with_openapi(super::Tags::openapi())
        .routes(routes!(open_calls))
        .routes(routes!(settle))
        .with_state(handle)
}

/// Calls whose outcome is not known, the oldest first.
#[derive(Debug, Serialize, ToSchema)]
struct OpenCalls {
    open_calls: Vec<StuckCall>,
}

/// A call whose outcome has not been known for a while.
#[derive(Debug, Serialize, ToSchema)]
struct StuckCall {
    order_id: Uuid,
    step: Step,
    /// Since when the outcome is waited for, or before.
    asked_at: DateTime<Utc>,
}

impl From<OpenCall<Call>> for StuckCall {
    fn from(OpenCall { key, call, asked_at }: OpenCall<Call>) -> Self {
        StuckCall { order_id: key, step: Step::of(&call), asked_at }
    }
}

/// Calls to the carrier that stay open
#[utoipa::path(
    get,
    path = "/open-calls",
    tag = "shipments",
    operation_id = "list_open_calls",
    params(OpenFor),
    responses((status = OK, description = "at most 100 of them", body = OpenCalls), AnyProblem)
)]
async fn open_calls(
    State(handle): State<Handle<Shipments>>,
    Query(longer_than): Query<OpenFor>,
) -> Result<Json<OpenCalls>, Problem> {
    let found = handle.open_calls(&longer_than).await.map_err(|failure| unavailable(&failure))?;
    Ok(Json(OpenCalls { open_calls: found.into_iter().map(StuckCall::from).collect() }))
}

/// What became of a call.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewSettlement {
    outcome: Outcome,
    /// Under which code the parcel is tracked, with `dispatched` only.
    #[serde(default)]
    tracking_code: Option<String>,
    /// Why the carrier does not deliver, with `refused` only; `unknown` when left out.
    #[serde(default)]
    refusal_reason: Option<RefusalReason>,
    /// Who says so.
    settled_by: String,
    /// How they know.
    reason: String,
}

/// What the carrier would have answered.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[schema(as = SettlementOutcome)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    /// The parcel is under way, with this carrier or by another way.
    Dispatched,
    /// It is not delivered, and never will be.
    Refused,
    /// It will not be dispatched, as was asked.
    Cancelled,
}

/// Say what became of a call
///
/// For a call that the carrier refuses for good, or answers with nothing that can be used. The shipment
/// goes on as if the carrier had said so; who said it and why is kept for good.
#[utoipa::path(
    post,
    path = "/shipments/{order_id}/settle",
    tag = "shipments",
    operation_id = "settle_shipment",
    params(("order_id" = Uuid, Path, description = "the order")),
    request_body = NewSettlement,
    responses(
        (status = OK, description = "the shipment as it is now", body = Shipment),
        (status = NOT_FOUND, description = "no such order was heard of, or it is not confirmed yet",
            body = Problem, content_type = "application/problem+json"),
        (status = CONFLICT, description = "the shipment does not wait for an outcome",
            body = Problem, content_type = "application/problem+json"),
        (status = UNPROCESSABLE_ENTITY, description = "`field` cannot be accepted",
            body = Problem, content_type = "application/problem+json"),
        AnyProblem,
        BodyProblem,
    )
)]
async fn settle(
    State(handle): State<Handle<Shipments>>,
    Path(order_id): Path<Uuid>,
    Json(settlement): Json<NewSettlement>,
) -> Result<Json<Shipment>, Problem> {
    let (input, settlement) = check(settlement)?;
    let tell = Arc::clone(&settlement);
    let input = Input { key: OrderId(order_id), input, settled: Some(settlement) };
    match handle.submit(input).await? {
        Reply::Settled => {
            let Settlement { by, reason } = &*tell;
            tracing::warn!(%order_id, by, reason, "a call to the carrier was settled by hand");
            show_shipment(&handle, order_id).await.map(Json)
        }
        Reply::NotAwaited(domain::State::New) => show_shipment(&handle, order_id).await.map(Json),
        Reply::NotAwaited(_) => Err(Problem::conflict(
            "not_awaited",
            "the shipment does not wait for an outcome",
            format!("GET /shipments/{order_id} on the public port says how it has ended"),
        )),
        Reply::Noted => unreachable!("a settlement is answered as one"),
    }
}

fn check(settlement: NewSettlement) -> Result<(domain::Input, Arc<Settlement>), Problem> {
    let NewSettlement { outcome, tracking_code, refusal_reason, settled_by, reason } = settlement;
    let settlement = Settlement::new(settled_by, reason)?;
    let step = match (outcome, tracking_code, refusal_reason) {
        (Outcome::Dispatched, Some(tracking), None) => {
            Settlement::check_text("tracking_code", &tracking)?;
            domain::Input::Dispatched { tracking }
        }
        (Outcome::Dispatched, None, None) => {
            return Err(invalid("tracking_code", "is needed: it is what the customer is told"));
        }
        (Outcome::Refused, None, reason) => domain::Input::Refused {
            reason: reason.map_or(events::RefusalReason::Unknown, events::RefusalReason::from),
        },
        (Outcome::Cancelled, None, None) => domain::Input::Cancelled,
        (Outcome::Refused | Outcome::Cancelled, Some(_), _) => {
            return Err(invalid("tracking_code", "belongs to the outcome dispatched only"));
        }
        (Outcome::Dispatched | Outcome::Cancelled, _, Some(_)) => {
            return Err(invalid("refusal_reason", "belongs to the outcome refused only"));
        }
    };
    Ok((step, Arc::new(settlement)))
}

fn invalid(field: &'static str, rule: &str) -> Problem {
    Problem::invalid_field(field, format!("{field} {rule}"))
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;

    use super::*;

    fn settlement(
        outcome: Outcome,
        tracking_code: Option<&str>,
        refusal_reason: Option<RefusalReason>,
        reason: &str,
    ) -> NewSettlement {
        let tracking_code = tracking_code.map(str::to_owned);
        let (settled_by, reason) = ("ada".to_owned(), reason.to_owned());
        NewSettlement { outcome, tracking_code, refusal_reason, settled_by, reason }
    }

    #[test]
    fn a_settlement_says_what_the_carrier_would_have_said() {
        let goods = Some(RefusalReason::GoodsNotAccepted);
        for (said, expected) in [
            (
                settlement(Outcome::Dispatched, Some("T 1"), None, "by courier"),
                domain::Input::Dispatched { tracking: "T 1".into() },
            ),
            (
                settlement(Outcome::Refused, None, goods, "by courier"),
                domain::Input::Refused { reason: events::RefusalReason::GoodsNotAccepted },
            ),
            (
                settlement(Outcome::Refused, None, None, "by courier"),
                domain::Input::Refused { reason: events::RefusalReason::Unknown },
            ),
            (settlement(Outcome::Cancelled, None, None, "by courier"), domain::Input::Cancelled),
        ] {
            let (step, kept) = check(said).unwrap();
            assert_eq!(step, expected);
            assert_eq!(*kept, Settlement { by: "ada".into(), reason: "by courier".into() });
        }
    }

    #[test]
    fn a_parcel_without_its_code_a_code_without_a_parcel_and_an_empty_reason_are_refused() {
        let unknown = Some(RefusalReason::Unknown);
        for (field, wrong) in [
            ("tracking_code", settlement(Outcome::Dispatched, None, None, "seen")),
            ("tracking_code", settlement(Outcome::Dispatched, Some(""), None, "seen")),
            ("tracking_code", settlement(Outcome::Dispatched, Some("a\0b"), None, "seen")),
            ("tracking_code", settlement(Outcome::Refused, Some("T1"), None, "seen")),
            ("tracking_code", settlement(Outcome::Cancelled, Some("T1"), None, "seen")),
            ("refusal_reason", settlement(Outcome::Dispatched, Some("T1"), unknown, "seen")),
            ("refusal_reason", settlement(Outcome::Cancelled, None, unknown, "seen")),
            ("reason", settlement(Outcome::Cancelled, None, None, "")),
        ] {
            let said = format!("{wrong:?}");
            let refused = check(wrong).unwrap_err();
            assert_eq!(refused.status(), StatusCode::UNPROCESSABLE_ENTITY, "{said}");
            assert!(format!("{refused:?}").contains(&format!("{field:?}")), "{said}: {refused:?}");
        }
    }
}
