//! What operators may do, on the admin port: see which calls to the provider stay open, and say what became
//! of one where the provider does not. Separate from what everybody may ask.

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

use super::{Payment, Step, show_payment, unavailable};
use crate::domain::{self, Call};
use crate::payments::{Input, Payments};

/// The longest id.
const ID_MAX: usize = 255;

/// The routes on the admin port.
pub(crate) fn routes(handle: Handle<Payments>) -> OpenApiRouter {
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

/// Calls to the provider that stay open
#[utoipa::path(
    get,
    path = "/open-calls",
    tag = "payments",
    operation_id = "list_open_calls",
    params(OpenFor),
    responses((status = OK, description = "at most 100 of them", body = OpenCalls), AnyProblem)
)]
async fn open_calls(
    State(handle): State<Handle<Payments>>,
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
    /// The provider's id of what it holds, with `authorized` only.
    #[serde(default)]
    authorization_id: Option<String>,
    /// Who says so.
    settled_by: String,
    /// How they know.
    reason: String,
}

/// What the provider would have answered.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[schema(as = SettlementOutcome)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    /// The amount is held.
    Authorized,
    /// Nothing is held, and never will be.
    Declined,
    /// What was held is let go.
    Voided,
    /// The money is ours, from this provider or by another way.
    Captured,
    /// The customer has the money back.
    Refunded,
}

/// Say what became of a call
///
/// For a call that the provider refuses for good, or answers with nothing that can be used. The payment
/// goes on as if the provider had said so; who said it and why is kept for good.
#[utoipa::path(
    post,
    path = "/payments/{order_id}/settle",
    tag = "payments",
    operation_id = "settle_payment",
    params(("order_id" = Uuid, Path, description = "the order")),
    request_body = NewSettlement,
    responses(
        (status = OK, description = "the payment as it is now", body = Payment),
        (status = NOT_FOUND, description = "no such order was heard of",
            body = Problem, content_type = "application/problem+json"),
        (status = CONFLICT, description = "the payment does not wait for this outcome",
            body = Problem, content_type = "application/problem+json"),
        (status = UNPROCESSABLE_ENTITY, description = "`field` cannot be accepted",
            body = Problem, content_type = "application/problem+json"),
        AnyProblem,
        BodyProblem,
    )
)]
async fn settle(
    State(handle): State<Handle<Payments>>,
    Path(order_id): Path<Uuid>,
    Json(settlement): Json<NewSettlement>,
) -> Result<Json<Payment>, Problem> {
    let (input, settlement) = check(settlement)?;
    let tell = Arc::clone(&settlement);
    let input = Input { key: OrderId(order_id), input, settled: Some(settlement) };
    match handle.submit(input).await? {
        Reply::Settled => {
            let Settlement { by, reason } = &*tell;
            tracing::warn!(%order_id, by, reason, "a call to the provider was settled by hand");
            show_payment(&handle, order_id).await.map(Json)
        }
        Reply::NotAwaited(domain::State::New) => show_payment(&handle, order_id).await.map(Json),
        Reply::NotAwaited(_) => Err(Problem::conflict(
            "not_awaited",
            "the payment does not wait for this outcome",
            format!("GET /payments/{order_id} on the public port says which call is open, if any"),
        )),
        Reply::Noted => unreachable!("a settlement is answered as one"),
    }
}

fn check(settlement: NewSettlement) -> Result<(domain::Input, Arc<Settlement>), Problem> {
    let NewSettlement { outcome, authorization_id, settled_by, reason } = settlement;
    let settlement = Settlement::new(settled_by, reason)?;
    let step = match (outcome, authorization_id) {
        (Outcome::Authorized, Some(authorization)) => {
            let visible = authorization.bytes().all(|byte| byte.is_ascii_graphic());
            if !visible || !(1..=ID_MAX).contains(&authorization.len()) {
                let rule = "must be 1 to 255 visible ASCII characters";
                return Err(invalid(rule));
            }
            domain::Input::Authorized { authorization }
        }
        (Outcome::Authorized, None) => {
            return Err(invalid("is needed: it is what is captured later"));
        }
        (_other, Some(_)) => {
            return Err(invalid("belongs to the outcome authorized only"));
        }
        (Outcome::Declined, None) => {
            domain::Input::Declined { reason: events::DeclineReason::Unknown }
        }
        (Outcome::Voided, None) => domain::Input::Voided,
        (Outcome::Captured, None) => domain::Input::Captured,
        (Outcome::Refunded, None) => domain::Input::Refunded,
    };
    Ok((step, Arc::new(settlement)))
}

fn invalid(rule: &str) -> Problem {
    Problem::invalid_field("authorization_id", format!("authorization_id {rule}"))
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;

    use super::*;

    fn settlement(outcome: Outcome, authorization_id: Option<&str>, reason: &str) -> NewSettlement {
        let authorization_id = authorization_id.map(str::to_owned);
        let (settled_by, reason) = ("ada".to_owned(), reason.to_owned());
        NewSettlement { outcome, authorization_id, settled_by, reason }
    }

    #[test]
    fn a_settlement_says_what_the_provider_would_have_said() {
        let (step, kept) = check(settlement(Outcome::Captured, None, "by transfer")).unwrap();
        assert_eq!(step, domain::Input::Captured);
        assert_eq!(*kept, Settlement { by: "ada".into(), reason: "by transfer".into() });
        let (step, _) = check(settlement(Outcome::Authorized, Some("pi_1"), "seen")).unwrap();
        assert_eq!(step, domain::Input::Authorized { authorization: "pi_1".into() });
    }

    #[test]
    fn a_hold_without_its_id_an_id_without_a_hold_and_an_empty_reason_are_refused() {
        for wrong in [
            settlement(Outcome::Authorized, None, "seen"),
            settlement(Outcome::Authorized, Some("pi 1"), "seen"),
            settlement(Outcome::Captured, Some("pi_1"), "seen"),
            settlement(Outcome::Captured, None, ""),
        ] {
            let said = format!("{wrong:?}");
            assert_eq!(
                check(wrong).unwrap_err().status(),
                StatusCode::UNPROCESSABLE_ENTITY,
                "{said}"
            );
        }
    }
}
