//! Creating items, renaming and pricing them; one, or a catalogue at once.

use std::collections::HashSet;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use chassis::{AnyProblem, BodyProblem, Handle, Json, Path, Problem};
use events::Sku;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Description, ItemView, SkuPath};
use crate::service::{Input, Inventory, Reply};

/// The most items in one request: one batch's worth, which fits the body's limit.
const ITEMS_MAX: usize = 500;

/// An item of a catalogue. Each SKU stands in one entry only.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = CatalogueEntry)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    #[schema(
        min_length = 1,
        max_length = 64,
        pattern = "^[A-Za-z0-9._-]*[A-Za-z0-9_-][A-Za-z0-9._-]*$",
        example = "TEA-EARL-GREY"
    )]
    sku: String,
    /// 1 to 200 characters, not spaces alone.
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = "^[^\\u0000]*[^\\s\\u0000][^\\u0000]*$",
        example = "Earl Grey, 100 g"
    )]
    name: String,
    /// In minor units.
    #[schema(minimum = 0, maximum = 1_000_000_000, example = 890)]
    unit_price_minor: i64,
    /// ISO 4217.
    #[schema(pattern = "^[A-Z]{3}$", example = "EUR")]
    currency: String,
}

/// A catalogue to write.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(min_items = 1, max_items = 500)]
#[serde(transparent)]
pub(super) struct Catalogue(Vec<Entry>);

impl Catalogue {
    /// What to write, or what is wrong with the first wrong entry.
    fn check(self) -> Result<Vec<Input>, Problem> {
        let entries = self.0;
        if !(1..=ITEMS_MAX).contains(&entries.len()) {
            return Err(Problem::invalid_field("", format!("1 to {ITEMS_MAX} items")));
        }
        let mut seen = HashSet::with_capacity(entries.len());
        let mut inputs = Vec::with_capacity(entries.len());
        for (index, entry) in entries.into_iter().enumerate() {
            let Entry { sku, name, unit_price_minor, currency } = entry;
            let wrong = |detail| Problem::invalid_field(format!("[{index}].sku"), detail);
            let sku = Sku::new(sku).map_err(|error| wrong(error.to_string()))?;
            if !seen.insert(sku.clone()) {
                return Err(wrong(format!("{sku} stands in an earlier entry")));
            }
            let description = Description { name, unit_price_minor, currency };
            let (name, price) = description.check(&format!("[{index}]."))?;
            inputs.push(Input::Set { sku, name, price });
        }
        Ok(inputs)
    }
}

/// How many items a catalogue created and changed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CatalogueWritten)]
pub(super) struct Written {
    #[schema(minimum = 0, example = 3)]
    created: usize,
    #[schema(minimum = 0, example = 12)]
    updated: usize,
}

/// Create an item, or change its name and price
///
/// Orders that were placed keep the price that they were placed at.
#[utoipa::path(put, path = "/stock/{sku}", tag = "stock", operation_id = "set_stock_item",
    request_body = Description, params(SkuPath),
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
    Path(sku): Path<Sku>,
    headers: HeaderMap,
    Json(description): Json<Description>,
) -> Result<(StatusCode, Json<ItemView>), Problem> {
    let (name, price) = description.check("")?;
    let input = Input::Set { sku: sku.clone(), name, price };
    match handle.submit_traced(input, &headers).await? {
        Reply::Item { item, created } => {
            let status = if created { StatusCode::CREATED } else { StatusCode::OK };
            Ok((status, Json(ItemView::new(&sku, &item))))
        }
        Reply::Noted | Reply::Rejected(_) | Reply::IdReused => Err(unanswered()),
    }
}

/// Create or change many items at once
///
/// Nothing is written where one of them is invalid, nor where the answer is 429.
#[utoipa::path(put, path = "/stock", tag = "stock", operation_id = "set_stock",
    request_body = Catalogue,
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
    Json(catalogue): Json<Catalogue>,
) -> Result<Json<Written>, Problem> {
    let inputs = catalogue.check()?;
    let replies = handle.submit_all(inputs, &headers).await?;
    let mut written = Written { created: 0, updated: 0 };
    for reply in replies {
        match reply? {
            Reply::Item { created: true, .. } => written.created += 1,
            Reply::Item { created: false, .. } => written.updated += 1,
            Reply::Noted | Reply::Rejected(_) | Reply::IdReused => return Err(unanswered()),
        }
    }
    Ok(Json(written))
}

/// Setting an item is never refused by the domain.
fn unanswered() -> Problem {
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the item was not written").code("failed")
}
