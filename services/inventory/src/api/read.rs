//! Looking at items.

use axum::extract::State;
use chassis::{AnyProblem, Handle, Json, Limit, Page, Path, Problem, Query};
use events::Sku;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{ItemView, SkuPath, unknown, unreadable};
use crate::service::Inventory;
use crate::store::{self, Listed};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// How many items, 1 to 500; 50 when left out.
    #[serde(default)]
    #[param(inline)]
    limit: Limit,
    /// `next_cursor` of the page before.
    #[param(
        value_type = Option<String>,
        nullable = false,
        min_length = 1,
        max_length = 64,
        pattern = "^[A-Za-z0-9._-]*[A-Za-z0-9_-][A-Za-z0-9._-]*$",
        example = "TEA-EARL-GREY"
    )]
    cursor: Option<Sku>,
}

/// Some of the items, in the order of their SKUs.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StockPage {
    items: Vec<ItemView>,
    /// Where the next page begins; left out on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    next_cursor: Option<String>,
}

/// List items, in the order of their SKUs
///
/// All of them, those without units too.
#[utoipa::path(get, path = "/stock", tag = "stock", operation_id = "list_stock", params(ListQuery),
    responses((status = OK, description = "a page of items", body = StockPage), AnyProblem))]
pub(super) async fn list(
    State(handle): State<Handle<Inventory>>,
    Query(query): Query<ListQuery>,
) -> Result<Json<StockPage>, Problem> {
    let ListQuery { limit, cursor } = query;
    let after = cursor.as_ref().map_or("", Sku::as_str);
    let found = store::list(handle.db(), after, limit.get() as i64).await;
    let found = found.map_err(|error| unreadable(&error))?;
    let Page { entries, next_cursor } = Page::of(found, limit, |last: &Listed| last.sku.clone());
    Ok(Json(StockPage { items: entries.into_iter().map(ItemView::from).collect(), next_cursor }))
}

/// Show an item
///
/// Its name, its price and its units.
#[utoipa::path(get, path = "/stock/{sku}", tag = "stock", operation_id = "get_stock_item",
    params(SkuPath),
    responses(
        (status = OK, description = "the item", body = ItemView),
        (status = NOT_FOUND, description = "there is no such item", body = Problem,
            content_type = "application/problem+json"),
        AnyProblem,
    ))]
pub(super) async fn show(
    State(handle): State<Handle<Inventory>>,
    Path(sku): Path<Sku>,
) -> Result<Json<ItemView>, Problem> {
    let found = store::find(handle.db(), sku.as_str()).await.map_err(|error| unreadable(&error))?;
    found.map(|item| Json(item.into())).ok_or_else(|| unknown(&sku))
}
