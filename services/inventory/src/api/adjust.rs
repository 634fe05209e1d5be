//! Adjusting an item's free units, once per idempotency key.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use chassis::{AnyProblem, BodyProblem, Handle, Json, Path, Problem};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{ItemView, invalid, sku, unknown};
use crate::domain::{MAX_STOCK, Refusal};
use crate::service::{Adjustment, Input, Inventory, Reply, Source};

/// The longest note, in bytes. It is kept for good.
const NOTE_BYTES_MAX: usize = 500;
/// The header with the idempotency key.
const KEY: &str = "Idempotency-Key";
/// The longest idempotency key, in bytes.
const KEY_BYTES_MAX: usize = 255;

/// A change of an item's free units.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Change {
    /// Units that come, or go when it is negative.
    delta: i64,
    /// Why, for those who look into the ledger.
    #[serde(default)]
    note: String,
}

/// Add free units to an item, or take some away
#[utoipa::path(post, path = "/stock/{sku}/adjustments", tag = "stock", request_body = Change,
    params(
        ("sku" = String, Path, description = "the item's SKU"),
        ("Idempotency-Key" = String, Header,
            description = "1 to 255 visible ASCII characters; the same key adjusts once"),
    ),
    responses(
        (status = OK, description = "the item as it is now", body = ItemView),
        (status = NOT_FOUND, description = "there is no such item", body = Problem,
            content_type = "application/problem+json"),
        (status = CONFLICT, description = "not so many units are free", body = Problem,
            content_type = "application/problem+json"),
        (status = UNPROCESSABLE_ENTITY, description = "a field is invalid, or the key was used for \
            another adjustment", body = Problem, content_type = "application/problem+json"),
        AnyProblem,
        BodyProblem,
    ))]
pub(super) async fn adjust(
    State(handle): State<Handle<Inventory>>,
    Path(path): Path<String>,
    headers: HeaderMap,
    Json(change): Json<Change>,
) -> Result<Json<ItemView>, Problem> {
    let sku = sku(&path, "sku")?;
    let id = adjustment_id(&headers)?;
    if change.delta == 0 || change.delta.unsigned_abs() > MAX_STOCK.unsigned_abs() {
        return Err(invalid("delta", format!("not 0, and at most {MAX_STOCK} either way")));
    }
    if change.note.len() > NOTE_BYTES_MAX || change.note.contains('\0') {
        return Err(invalid("note", format!("at most {NOTE_BYTES_MAX} bytes of text")));
    }
    let Change { delta, note } = change;
    let source = Source::Caller;
    let input = Input::Adjust(Adjustment { id, sku: sku.clone(), delta, note, source });
    match handle.submit_traced(input, &headers).await? {
        Reply::Item { item, .. } => Ok(Json(ItemView::new(&sku, &item))),
        Reply::Refused(Refusal::UnknownSku) => Err(unknown(&path)),
        Reply::Refused(refusal @ (Refusal::NotEnough { .. } | Refusal::TooMany)) => {
            Err(Problem::new(StatusCode::CONFLICT, "the adjustment does not fit")
                .code("not_possible")
                .field("delta")
                .detail(refusal.to_string()))
        }
        Reply::IdReused => {
            Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "the key was used before")
                .code("idempotency_key_reused")
                .field(KEY)
                .detail("for another adjustment; a new adjustment needs a new Idempotency-Key"))
        }
        Reply::Noted => Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "not adjusted")),
    }
}

/// The adjustment's id: the key itself where it is a UUID, else one made of it.
fn adjustment_id(headers: &HeaderMap) -> Result<Uuid, Problem> {
    let key = headers.get(KEY).and_then(|value| value.to_str().ok()).unwrap_or("");
    let visible = key.bytes().all(|byte| byte.is_ascii_graphic());
    if key.is_empty() || key.len() > KEY_BYTES_MAX || !visible {
        return Err(Problem::new(StatusCode::BAD_REQUEST, "the header Idempotency-Key is needed")
            .code("idempotency_key_missing")
            .field(KEY)
            .detail(format!("1 to {KEY_BYTES_MAX} visible ASCII characters, new per adjustment")));
    }
    Ok(Uuid::try_parse(key).unwrap_or_else(|_not_a_uuid| {
        let digest = Sha256::digest(key.as_bytes());
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest[..16]);
        uuid::Builder::from_custom_bytes(bytes).into_uuid()
    }))
}
