//! The shipment of an order over HTTP: how it is shown to anybody, and what operators may say about the outcome
//! of a call to the carrier.

use chassis::{OpenCall, Problem, Resource, Settlement, Settles, Shown, Shows};
use chrono::{DateTime, Utc};
use events::OrderId;
use serde::{Deserialize, Serialize};
use sqlx::Row as _;
use utoipa::{ToSchema, openapi};
use uuid::Uuid;

use crate::domain::{self, Call, Step};
use crate::rows::{Outcome, RefusalReason, Row, ShipmentState};
use crate::shipments::Shipments;

/// The routes as an OpenAPI document.
pub fn document() -> openapi::OpenApi {
    chassis::document::<Shipments>()
}

/// The shipment of an order.
#[derive(Debug, Serialize, ToSchema)]
pub struct Shipment {
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
    open_call: Option<OpenShipmentCall>,
}

type OpenShipmentCall = OpenCall<Step>;

impl Shows for Shipments {
    const RESOURCE: Resource = Resource {
        one: "shipment",
        many: "shipments",
        about: "where the parcel of an order is",
        not_found: "shipment_not_found",
        absent: "no order with this id was confirmed; one that was just placed takes a moment",
    };
    type View = Shipment;
    type Step = Step;

    fn step(call: &Call) -> Step {
        call.step()
    }

    fn view(
        order: OrderId,
        shown: Shown<domain::State>,
        open_call: Option<OpenShipmentCall>,
    ) -> Result<Shipment, sqlx::Error> {
        let Row { state, tracking, refusal, .. } = Row::of(&shown.state);
        Ok(Shipment {
            order_id: order.0,
            state,
            since: shown.since.unwrap_or_default(),
            destination: shown.row.try_get("destination")?,
            tracking_code: tracking.map(str::to_owned),
            refusal_reason: refusal,
            open_call,
        })
    }
}

/// What became of a call.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSettlement {
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

impl Settles for Shipments {
    const OUTSIDE: &'static str = "carrier";
    type NewSettlement = NewSettlement;

    fn check(said: NewSettlement) -> Result<(domain::Input, Settlement), Problem> {
        let NewSettlement { outcome, tracking_code, refusal_reason, settled_by, reason } = said;
        let settlement = Settlement::new(settled_by, reason)?;
        let input = match (outcome, tracking_code, refusal_reason) {
            (Outcome::Dispatched, Some(tracking), None) => {
                Settlement::check_text("tracking_code", &tracking)?;
                domain::Input::Dispatched { tracking }
            }
            (Outcome::Dispatched, None, None) => {
                return Err(invalid("tracking_code", "is needed: it is what the customer is told"));
            }
            (Outcome::Refused, None, reason) => {
                domain::Input::Refused { reason: reason.unwrap_or(RefusalReason::Unknown).into() }
            }
            (Outcome::Cancelled, None, None) => domain::Input::Cancelled,
            (Outcome::Refused | Outcome::Cancelled, Some(_), _) => {
                return Err(invalid("tracking_code", "belongs to the outcome dispatched only"));
            }
            (Outcome::Dispatched | Outcome::Cancelled, _, Some(_)) => {
                return Err(invalid("refusal_reason", "belongs to the outcome refused only"));
            }
        };
        Ok((input, settlement))
    }
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
            let (step, kept) = Shipments::check(said).unwrap();
            assert_eq!(step, expected);
            assert_eq!(kept, Settlement { by: "ada".into(), reason: "by courier".into() });
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
            let refused = Shipments::check(wrong).unwrap_err();
            assert_eq!(refused.status(), StatusCode::UNPROCESSABLE_ENTITY, "{said}");
            assert!(format!("{refused:?}").contains(&format!("{field:?}")), "{said}: {refused:?}");
        }
    }
}
