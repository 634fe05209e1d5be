//! Creating items, renaming and pricing them; one, or a catalogue at once.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use chassis::{AnyProblem, BodyProblem, Handle, Json, Path, Problem};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Description, ItemView, invalid, sku};
use crate::service::{Input, Inventory, Reply};

/// The most items of one request: they are one batch's worth, and fit the body's limit.
const ITEMS_MAX: usize = 500;

/// An item of a catalogue.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct Entry {
    sku: String,
    #[serde(flatten)]
    description: Description,
}

/// How many items a catalogue created and changed.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Written {
    created: usize,
    updated: usize,
}

/// Create an item, or change its name and price
#[utoipa::path(put, path = "/stock/{sku}", tag = "stock", request_body = Description,
    params(("sku" = String, Path, description = "the item's SKU")),
    responses(
        (status = OK, description = "the item was there", body = ItemView),
        (status = CREATED, description = "the item is new, with no units", body = ItemView),
        (status = UNPROCESSABLE_ENTITY, description = "a field is invalid", body = Problem,
            content_type = "application/problem+json"),
        AnyProblem,
        BodyProblem,
    ))]
pub(super) async fn set_one(
    State(handle): State<Handle<Inventory>>,
    Path(path): Path<String>,
    headers: HeaderMap,
    Json(description): Json<Description>,
) -> Result<(StatusCode, Json<ItemView>), Problem> {
    let sku = sku(&path, "sku")?;
    let (name, price) = description.check("")?;
    let input = Input::Set { sku: sku.clone(), name, price };
    match handle.submit_traced(input, &headers).await? {
        Reply::Item { item, created } => {
            let status = if created { StatusCode::CREATED } else { StatusCode::OK };
            Ok((status, Json(ItemView::new(&sku, &item))))
        }
        Reply::Noted | Reply::Refused(_) | Reply::IdReused => Err(unanswered()),
    }
}

/// Create or change many items at once
#[utoipa::path(put, path = "/stock", tag = "stock", request_body = Vec<Entry>,
    responses(
        (status = OK, description = "all items are written", body = Written),
        (status = UNPROCESSABLE_ENTITY, description = "a field is invalid; nothing is written",
            body = Problem, content_type = "application/problem+json"),
        AnyProblem,
        BodyProblem,
    ))]
pub(super) async fn set_all(
    State(handle): State<Handle<Inventory>>,
    headers: HeaderMap,
    Json(entries): Json<Vec<Entry>>,
) -> Result<Json<Written>, Problem> {
    if entries.is_empty() || entries.len() > ITEMS_MAX {
        return Err(invalid("", format!("1 to {ITEMS_MAX} items")));
    }
    let mut inputs = Vec::with_capacity(entries.len());
    for (index, entry) in entries.iter().enumerate() {
        let sku = sku(&entry.sku, &format!("[{index}].sku"))?;
        let (name, price) = entry.description.check(&format!("[{index}]."))?;
        inputs.push(Input::Set { sku, name, price });
    }
    let replies = inputs.into_iter().map(|input| handle.submit_traced(input, &headers));
    let mut written = Written { created: 0, updated: 0 };
    for reply in futures::future::join_all(replies).await {
        match reply? {
            Reply::Item { created: true, .. } => written.created += 1,
            Reply::Item { created: false, .. } => written.updated += 1,
            Reply::Noted | Reply::Refused(_) | Reply::IdReused => return Err(unanswered()),
        }
    }
    Ok(Json(written))
}

/// Setting an item is never refused by the domain.
fn unanswered() -> Problem {
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the item was not written").code("failed")
}
