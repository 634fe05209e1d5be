//! Items over HTTP: what there is, at which price, and adjusting it.

mod adjust;
mod read;
mod set;

use axum::http::StatusCode;
use chassis::{Handle, Problem};
use events::{Currency, Money, Sku};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::domain::Item;
use crate::service::Inventory;
use crate::store::Listed;

/// The longest name of an item, in bytes. It is repeated in every event about the item.
const NAME_BYTES_MAX: usize = 200;
/// The highest price of a unit, in minor units: ten million of a currency with cents. With the most
/// units and lines that an order may have, its total still fits.
const PRICE_MINOR_MAX: i64 = 1_000_000_000;

/// The routes of the service.
pub fn routes(handle: Handle<Inventory>) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(read::list, set::set_all))
        .routes(routes!(read::show, set::set_one))
        .routes(routes!(adjust::adjust))
        .with_state(handle)
}

/// An item and its units.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StockItem)]
struct ItemView {
    sku: String,
    name: String,
    unit_price_minor: i64,
    /// ISO 4217.
    #[schema(example = "EUR")]
    currency: String,
    /// Units that can be reserved.
    free: i64,
    /// Units set aside for orders.
    reserved: i64,
    /// Units that have left, less those that were returned.
    shipped: i64,
}

impl ItemView {
    fn new(sku: &Sku, item: &Item) -> Self {
        ItemView {
            sku: sku.to_string(),
            name: item.name.clone(),
            unit_price_minor: item.price.minor,
            currency: item.price.currency.to_string(),
            free: item.free,
            reserved: item.reserved,
            shipped: item.shipped,
        }
    }
}

impl From<Listed> for ItemView {
    fn from(listed: Listed) -> Self {
        let Listed { sku, name, unit_price_minor, currency, free, reserved, shipped, .. } = listed;
        ItemView { sku, name, unit_price_minor, currency, free, reserved, shipped }
    }
}

/// What an item is called and costs.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Description {
    name: String,
    /// In minor units.
    unit_price_minor: i64,
    /// ISO 4217.
    #[schema(example = "EUR")]
    currency: String,
}

impl Description {
    /// The name and price, or what is wrong with them; `place` leads the field's name.
    fn check(&self, place: &str) -> Result<(String, Money), Problem> {
        let field = |name: &str| format!("{place}{name}");
        let name = self.name.trim();
        // The database keeps no NUL.
        if name.is_empty() || name.len() > NAME_BYTES_MAX || name.contains('\0') {
            return Err(invalid(field("name"), format!("1 to {NAME_BYTES_MAX} bytes of text")));
        }
        if !(0..=PRICE_MINOR_MAX).contains(&self.unit_price_minor) {
            let detail = format!("0 to {PRICE_MINOR_MAX} minor units");
            return Err(invalid(field("unit_price_minor"), detail));
        }
        let currency: Currency = self
            .currency
            .parse()
            .map_err(|_| invalid(field("currency"), "three letters of ISO 4217, such as EUR"))?;
        Ok((name.to_owned(), Money::new(self.unit_price_minor, currency)))
    }
}

fn sku(text: &str, field: &str) -> Result<Sku, Problem> {
    Sku::new(text.to_owned()).map_err(|error| invalid(field, error.to_string()))
}

fn invalid(field: impl Into<String>, detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "a field is invalid")
        .code("invalid_field")
        .field(field)
        .detail(detail)
}

fn unknown(sku: &str) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "there is no such item")
        .code("unknown_sku")
        .detail(format!("PUT /stock/{sku} creates it"))
}

fn unreadable(error: &sqlx::Error) -> Problem {
    tracing::error!(error = %error, "items could not be read");
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "the stock cannot be read now")
        .code("unavailable")
        .retry_after(std::time::Duration::from_secs(1))
}
