//! The payment of an order over HTTP: how it is shown to anybody, and what operators may say about the outcome
//! of a call to the provider.

use chassis::{OpenCall, Problem, Resource, Settlement, Settles, Shown, Shows};
use chrono::{DateTime, Utc};
use events::{Currency, OrderId};
use serde::{Deserialize, Serialize};
use sqlx::Row as _;
use utoipa::{ToSchema, openapi};
use uuid::Uuid;

use crate::domain::{self, Call, Step};
use crate::payments::Payments;
use crate::rows::{self, DeclineReason, Outcome, PaymentState, Row};

/// The longest id.
const ID_MAX: usize = 255;

/// The routes as an OpenAPI document.
pub fn document() -> openapi::OpenApi {
    chassis::document::<Payments>()
}

/// The payment of an order.
#[derive(Debug, Serialize, ToSchema)]
pub struct Payment {
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
    open_call: Option<OpenPaymentCall>,
}

type OpenPaymentCall = OpenCall<Step>;

impl Shows for Payments {
    const RESOURCE: Resource = Resource {
        one: "payment",
        many: "payments",
        about: "where the money of an order is",
        not_found: "payment_not_found",
        absent: "no order with this id was heard of; one that was just placed takes a moment",
    };
    type View = Payment;
    type Step = Step;

    fn step(call: &Call) -> Step {
        call.step()
    }

    fn view(
        order: OrderId,
        shown: Shown<domain::State>,
        open_call: Option<OpenPaymentCall>,
    ) -> Result<Payment, sqlx::Error> {
        let Row { state, decline, .. } = Row::of(&shown.state);
        let amount = rows::amount_of(&shown.row)?;
        Ok(Payment {
            order_id: order.0,
            state,
            since: shown.since.unwrap_or_default(),
            amount_minor: amount.map(|amount| amount.minor),
            currency: amount.map(|amount| amount.currency),
            authorization_id: shown.row.try_get("authorization_id")?,
            decline_reason: decline,
            open_call,
        })
    }
}

/// What became of a call.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSettlement {
    outcome: Outcome,
    /// The provider's id of what it holds, with `authorized` only.
    #[serde(default)]
    authorization_id: Option<String>,
    /// Who says so.
    settled_by: String,
    /// How they know.
    reason: String,
}

impl Settles for Payments {
    const OUTSIDE: &'static str = "provider";
    type NewSettlement = NewSettlement;

    fn check(said: NewSettlement) -> Result<(domain::Input, Settlement), Problem> {
        let NewSettlement { outcome, authorization_id, settled_by, reason } = said;
        let settlement = Settlement::new(settled_by, reason)?;
        let input = match (outcome, authorization_id) {
            (Outcome::Authorized, Some(authorization)) => {
                let visible = authorization.bytes().all(|byte| byte.is_ascii_graphic());
                if !visible || !(1..=ID_MAX).contains(&authorization.len()) {
                    return Err(invalid("must be 1 to 255 visible ASCII characters"));
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
        Ok((input, settlement))
    }
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
        let (step, kept) =
            Payments::check(settlement(Outcome::Captured, None, "by transfer")).unwrap();
        assert_eq!(step, domain::Input::Captured);
        assert_eq!(kept, Settlement { by: "ada".into(), reason: "by transfer".into() });
        let (step, _) =
            Payments::check(settlement(Outcome::Authorized, Some("pi_1"), "seen")).unwrap();
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
                Payments::check(wrong).unwrap_err().status(),
                StatusCode::UNPROCESSABLE_ENTITY,
                "{said}"
            );
        }
    }
}
