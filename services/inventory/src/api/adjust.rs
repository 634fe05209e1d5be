//! Adjusting an item's free units, once per idempotency key.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use chassis::{AnyProblem, BodyProblem, Handle, IdempotencyKey, Json, Path, Problem};
use events::Sku;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{ItemView, SkuPath, unknown};
use crate::domain::{self, Adjustment, Rejection, Source};
use crate::service::{Input, Inventory, Reply};

/// A change of an item's free units.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = StockAdjustment)]
#[serde(deny_unknown_fields)]
pub(super) struct Change {
    /// Units that come, or go when it is negative; not 0.
    #[schema(minimum = -1_000_000_000_000_i64, maximum = 1_000_000_000_000_i64, example = 40)]
    delta: i64,
    /// Why, for those who look into the ledger.
    #[serde(default)]
    #[schema(max_length = 500, pattern = "^[^\\u0000]*$", example = "delivery of 29 November")]
    note: String,
}

/// Add free units to an item, or take some away
///
/// Only free units go: what is reserved is promised to orders. Sent again under the same key, it is the
/// same adjustment.
#[utoipa::path(post, path = "/stock/{sku}/adjustments", tag = "stock",
    operation_id = "adjust_stock_item", request_body = Change,
    params(SkuPath, IdempotencyKey),
    responses(
        (status = OK, description = "the item as it is now", body = ItemView),
        (status = NOT_FOUND, description = "there is no such item", body = Problem,
            content_type = "application/problem+json"),
        (status = CONFLICT, description = "fewer units are free", body = Problem,
            content_type = "application/problem+json"),
        (status = UNPROCESSABLE_ENTITY, description = "a field is invalid, or the key was used for \
            another adjustment", body = Problem, content_type = "application/problem+json"),
        AnyProblem,
        BodyProblem,
    ))]
pub(super) async fn adjust(
    State(handle): State<Handle<Inventory>>,
    Path(sku): Path<Sku>,
    key: IdempotencyKey,
    headers: HeaderMap,
    Json(change): Json<Change>,
) -> Result<Json<ItemView>, Problem> {
    let Change { delta, note } = change;
    domain::check_adjustment(delta, &note).map_err(|rejection| rejected(rejection, &sku))?;
    let (id, source) = (adjustment_id(&key), Source::Caller);
    let input = Input::Adjust(Adjustment { id, sku: sku.clone(), delta, note, source });
    match handle.submit_traced(input, &headers).await? {
        Reply::Item { item, .. } => Ok(Json(ItemView::new(&sku, &item))),
        Reply::Rejected(rejection) => Err(rejected(rejection, &sku)),
        Reply::IdReused => Err(IdempotencyKey::reused(
            "for another adjustment; a new adjustment needs a new Idempotency-Key",
        )),
        Reply::Noted => Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "not adjusted")),
    }
}

fn rejected(rejection: Rejection, sku: &Sku) -> Problem {
    let text = rejection.to_string();
    match rejection {
        Rejection::UnknownSku => unknown(sku),
        Rejection::NotEnough { .. } => {
            Problem::conflict("not_enough_units", "the adjustment does not fit", text)
                .field("delta")
        }
        Rejection::TooMany => {
            Problem::conflict("too_many_units", "the adjustment does not fit", text).field("delta")
        }
        Rejection::Delta => Problem::invalid_field("delta", text),
        Rejection::Note => Problem::invalid_field("note", text),
    }
}

/// The adjustment's id: the key itself where it is a UUID, else one derived from it.
fn adjustment_id(key: &IdempotencyKey) -> Uuid {
    Uuid::try_parse(key.as_str()).unwrap_or_else(|_not_a_uuid| {
        let digest = Sha256::digest(key.as_str().as_bytes());
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest[..16]);
        uuid::Builder::from_custom_bytes(bytes).into_uuid()
    })
}
