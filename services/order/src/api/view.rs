//! An order as JSON.

use chassis::{Json, Watched};
use chrono::{DateTime, Utc};
use events::{CancelReason, CancellationCause, Shortage};
use serde::Serialize;
use serde_json::value::RawValue;
use sqlx::PgPool;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::domain::State;
use crate::history::{self, Entry, Kind};
use crate::phase::Phase;
use crate::store::{self, OrderRow};

/// An order with its history.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Order)]
pub(super) struct OrderView<'a> {
    order_id: Uuid,
    customer_id: &'a str,
    state: Phase,
    /// Why it is being or was cancelled.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false, example = "OUT_OF_STOCK")]
    reason: Option<CancelReason>,
    #[schema(value_type = Vec<LineView>)]
    lines: &'a RawValue,
    /// In minor units of the currency.
    #[schema(minimum = 0, example = 1780)]
    total_minor: i64,
    #[schema(pattern = "^[A-Z]{3}$", example = "EUR")]
    currency: &'a str,
    #[schema(pattern = "^[A-Z]{2}$", example = "DE")]
    destination: &'a str,
    /// The carrier's code of the parcel, once dispatched.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    tracking_code: Option<&'a str>,
    /// The lines that could not be reserved, where the order was out of stock.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<ShortageView>>, nullable = false)]
    shortages: Option<&'a RawValue>,
    placed_at: DateTime<Utc>,
    /// What the order waits for; empty when it has come to an end.
    waits_for: Vec<WaitsForView>,
    history: Vec<EntryView>,
    links: Links,
}

/// One line of an order.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OrderLine)]
pub(super) struct LineView<'a> {
    #[schema(example = "TEA-EARL-GREY")]
    sku: &'a str,
    #[schema(minimum = 1, maximum = 10_000, example = 2)]
    quantity: i32,
    /// Price of one unit when the order was placed, in minor units of the order's currency.
    #[schema(minimum = 0, example = 890)]
    unit_price_minor: i64,
}

/// A line that inventory could not reserve.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Shortage)]
#[allow(dead_code, reason = "read by the OpenAPI generator; the stored JSON is passed on")]
pub(super) struct ShortageView {
    sku: String,
    requested: i32,
    available: i32,
}

/// A service that has not answered yet.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WaitsFor)]
pub(super) struct WaitsForView {
    #[schema(example = "payment")]
    service: &'static str,
    /// What it is to say.
    #[serde(rename = "for")]
    what: &'static str,
    since: DateTime<Utc>,
}

/// Something that happened to the order.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = HistoryEntry)]
pub(crate) struct EntryView {
    pub(super) at: DateTime<Utc>,
    /// The name of the event, of order itself or of the service that answered.
    #[schema(example = "PaymentAuthorized")]
    pub(super) event: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) detail: Option<String>,
}

/// Where to go from here.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OrderLinks)]
pub(super) struct Links {
    #[serde(rename = "self")]
    order: String,
    events: String,
    cancel: String,
    #[serde(rename = "return")]
    send_back: String,
}

impl Links {
    pub(super) fn of(order: Uuid) -> Self {
        let order = location(order);
        Links {
            events: format!("{order}/events"),
            cancel: format!("{order}/cancel"),
            send_back: format!("{order}/return"),
            order,
        }
    }
}

/// The path of an order.
pub(super) fn location(order: Uuid) -> String {
    format!("/orders/{order}")
}

impl<'a> LineView<'a> {
    pub(super) fn of(line: &'a events::OrderLine) -> Self {
        LineView {
            sku: line.sku.as_str(),
            quantity: line.quantity,
            unit_price_minor: line.unit_price_minor,
        }
    }
}

impl<'a> OrderView<'a> {
    pub(super) fn of(row: &'a OrderRow) -> Self {
        OrderView {
            order_id: row.order_id,
            customer_id: &row.customer_id,
            state: Phase::from(&row.state),
            reason: reason(&row.state),
            lines: &row.lines,
            total_minor: row.total_minor,
            currency: &row.currency,
            destination: &row.destination,
            tracking_code: row.tracking_code.as_deref(),
            shortages: row.shortages.as_deref(),
            placed_at: row.placed_at,
            waits_for: waits_for(row),
            history: history::entries(&row.history)
                .map(|entry| EntryView::of(entry, row))
                .collect(),
            links: Links::of(row.order_id),
        }
    }
}

impl Watched for OrderRow {
    type Entry = EntryView;

    fn key(&self) -> Uuid {
        self.order_id
    }

    fn version(&self) -> i64 {
        self.version
    }

    fn has_ended(&self) -> bool {
        self.state.is_terminal()
    }

    fn entry(&self, nth: usize) -> Option<(&'static str, EntryView)> {
        let entry = history::entries(&self.history).nth(nth)?;
        Some((entry.kind.event(), EntryView::of(entry, self)))
    }

    async fn newer(
        db: &PgPool,
        orders: &[Uuid],
        versions: &[i64],
    ) -> Result<Vec<Self>, sqlx::Error> {
        store::changed_since(db, orders, versions).await
    }
}

/// The order as a response body.
pub(super) fn json(row: &OrderRow) -> impl axum::response::IntoResponse {
    Json(OrderView::of(row))
}

impl EntryView {
    pub(super) fn of(entry: Entry, row: &OrderRow) -> Self {
        let detail = match entry.kind {
            Kind::ShipmentDispatched => row.tracking_code.clone(),
            Kind::StockRejected => row.shortages.as_deref().map(shortages),
            kind => kind.detail().map(str::to_owned),
        };
        EntryView { at: time(entry.at_micros), event: entry.kind.event(), detail }
    }
}

/// The stored shortages as a sentence.
fn shortages(json: &RawValue) -> String {
    let shortages: Vec<Shortage> = serde_json::from_str(json.get()).unwrap_or_default();
    let of = |short: &Shortage| {
        format!("{}: {} requested, {} available", short.sku, short.requested, short.available)
    };
    shortages.iter().map(of).collect::<Vec<_>>().join("; ")
}

/// Why an order is being cancelled, was, or is to be.
pub(super) fn reason(state: &State) -> Option<CancelReason> {
    match state {
        State::CancellationRequested { cause } => Some(match cause {
            CancellationCause::Unknown => CancelReason::Unknown,
            CancellationCause::Customer => CancelReason::Customer,
            CancellationCause::Overdue => CancelReason::Overdue,
        }),
        State::Cancelling { reason, .. } | State::Cancelled { reason } => Some(*reason),
        State::AwaitingBoth
        | State::AwaitingStock
        | State::AwaitingPayment
        | State::Confirmed
        | State::Shipped
        | State::Completed
        | State::ReturningBoth
        | State::ReturningGoods
        | State::ReturningMoney
        | State::Returned => None,
    }
}

/// The services react to order's events, so each is waited for since the latest of them.
fn waits_for(row: &OrderRow) -> Vec<WaitsForView> {
    let latest = history::entries(&row.history).rev().find(|entry| entry.kind.is_own());
    let since = latest.map_or(row.placed_at, |entry| time(entry.at_micros));
    let view = |waits: &crate::domain::WaitsFor| WaitsForView {
        service: waits.service,
        what: waits.what,
        since,
    };
    row.state.waits_for().iter().map(view).collect()
}

pub(super) fn time(micros: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(micros).unwrap_or_default()
}
