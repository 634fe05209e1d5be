//! Looking at items.

use axum::extract::State;
use chassis::{AnyProblem, Handle, Json, Path, Problem, Query};
use events::Sku;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{ItemView, sku, unknown, unreadable};
use crate::service::Inventory;
use crate::store;

/// The most items of one answer.
const PAGE_MAX: i64 = 500;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Page {
    /// The SKU to go on after: `next` of the answer before.
    #[param(value_type = Option<String>)]
    after: Option<Sku>,
    /// How many items, 1 to 500.
    #[serde(default = "page_max")]
    limit: i64,
}

fn page_max() -> i64 {
    PAGE_MAX
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Items {
    items: Vec<ItemView>,
    /// What to pass as `after` for more; missing on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// All items, in the order of their SKUs
#[utoipa::path(get, path = "/stock", tag = "stock", params(Page),
    responses((status = OK, description = "a page of items", body = Items), AnyProblem))]
pub(super) async fn list(
    State(handle): State<Handle<Inventory>>,
    Query(page): Query<Page>,
) -> Result<Json<Items>, Problem> {
    let limit = page.limit.clamp(1, PAGE_MAX);
    let found = store::list(handle.db(), page.after.as_ref().map_or("", Sku::as_str), limit).await;
    let found = found.map_err(|error| unreadable(&error))?;
    let full = found.len() as i64 == limit;
    let next = found.last().filter(|_| full).map(|item| item.sku.clone());
    Ok(Json(Items { items: found.into_iter().map(ItemView::from).collect(), next }))
}

/// One item
#[utoipa::path(get, path = "/stock/{sku}", tag = "stock",
    params(("sku" = String, Path, description = "the item's SKU")),
    responses(
        (status = OK, description = "the item", body = ItemView),
        (status = NOT_FOUND, description = "there is no such item", body = Problem,
            content_type = "application/problem+json"),
        (status = UNPROCESSABLE_ENTITY, description = "the path holds no SKU", body = Problem,
            content_type = "application/problem+json"),
        AnyProblem,
    ))]
pub(super) async fn show(
    State(handle): State<Handle<Inventory>>,
    Path(path): Path<String>,
) -> Result<Json<ItemView>, Problem> {
    let sku = self::sku(&path, "sku")?;
    let found = store::find(handle.db(), sku.as_str()).await.map_err(|error| unreadable(&error))?;
    found.map(|item| Json(item.into())).ok_or_else(|| unknown(&path))
}
