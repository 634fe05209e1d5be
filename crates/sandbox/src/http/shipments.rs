//! The carrier's routes. A shipment's order is its key: booking and cancelling it again change
//! nothing.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use uuid::Uuid;

use super::carry_out;
use super::error::ApiError;
use super::form::{self, JsonBody};
use crate::carrier::Parcel;
use crate::ledger::{ShipmentAct, ShipmentFigures};
use crate::simulator::Simulator;

type Shared = State<Arc<Simulator>>;

/// Far more than a country code, so that a wrong text is refused as a destination and not as a call.
const MAX_DESTINATION_BYTES: usize = 255;

#[derive(Deserialize)]
pub(super) struct Booking {
    destination: String,
}

pub(super) async fn book(
    State(simulator): Shared,
    Path(order): Path<String>,
    JsonBody(Booking { destination }): JsonBody<Booking>,
) -> Result<Response, ApiError> {
    let order = form::order(&order)?;
    if destination.len() > MAX_DESTINATION_BYTES {
        let message = "The text is too long.";
        return Err(ApiError::invalid_param("destination", "parameter_invalid", message));
    }
    let act = ShipmentAct::Book { order, destination };
    Ok(carry_out(&simulator, act, |parcel| answer(order, &parcel)).await)
}

pub(super) async fn cancel(
    State(simulator): Shared,
    Path(order): Path<String>,
) -> Result<Response, ApiError> {
    let order = form::order(&order)?;
    let act = ShipmentAct::Cancel { order };
    Ok(carry_out(&simulator, act, |parcel| answer(order, &parcel)).await)
}

pub(super) async fn show(
    State(simulator): Shared,
    Path(order): Path<String>,
) -> Result<Response, ApiError> {
    let order = form::order(&order)?;
    let parcel = simulator.look_up(|ledger| ledger.parcel(order).cloned()).await?;
    parcel
        .map(|parcel| answer(order, &parcel))
        .ok_or_else(|| ApiError::missing("No such shipment."))
}

fn answer(order: Uuid, parcel: &Parcel) -> Response {
    Json(ShipmentFigures::of(order, parcel)).into_response()
}
