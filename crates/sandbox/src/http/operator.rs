//! The routes for the person running the simulator: what its ledger says, and how well it behaves. They
//! need no key and never fail on purpose.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::error::ApiError;
use super::form::{self, JsonBody};
use crate::conduct::{Change, Settings};
use crate::ledger::{OrderFigures, Page, Totals};
use crate::simulator::Simulator;

type Shared = State<Arc<Simulator>>;

const DEFAULT_LIMIT: usize = 100;
/// A page is read under the ledger's lock, so it must stay short.
const MAX_LIMIT: usize = 1_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Cursor {
    after: Option<Uuid>,
    limit: Option<usize>,
}

#[derive(Serialize)]
pub(super) struct LedgerPage {
    totals: Totals,
    #[serde(flatten)]
    page: Page,
}

pub(super) async fn ledger(
    State(simulator): Shared,
    cursor: Result<Query<Cursor>, QueryRejection>,
) -> Result<Json<LedgerPage>, ApiError> {
    let Query(cursor) = cursor.map_err(|rejection| ApiError::invalid(rejection.body_text()))?;
    let limit = cursor.limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        let message = format!("A page has 1 to {MAX_LIMIT} orders.");
        return Err(ApiError::invalid_param("limit", "parameter_invalid", message));
    }
    let read = simulator.look_up(|ledger| LedgerPage {
        totals: ledger.totals().clone(),
        page: ledger.page(cursor.after, limit),
    });
    Ok(Json(read.await?))
}

pub(super) async fn order(
    State(simulator): Shared,
    Path(order): Path<String>,
) -> Result<Json<OrderFigures>, ApiError> {
    let order = form::order(&order)?;
    let figures = simulator.look_up(|ledger| ledger.order(order)).await?;
    figures.map(Json).ok_or_else(|| ApiError::missing("No such order."))
}

pub(super) async fn settings(State(simulator): Shared) -> Json<Settings> {
    Json(simulator.conduct.settings())
}

pub(super) async fn control(
    State(simulator): Shared,
    JsonBody(change): JsonBody<Change>,
) -> Result<Json<Settings>, ApiError> {
    let changed = simulator.conduct.change(change);
    let settings = changed.map_err(|error| ApiError::invalid(error.to_string()))?;
    tracing::info!(?settings, "settings changed");
    Ok(Json(settings))
}
