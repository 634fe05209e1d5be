//! Items over HTTP: reading them, setting names and prices, adjusting units.

mod adjust;
mod read;
mod set;

use chassis::{Handle, Problem, Service};
use events::{Currency, InvalidCurrency, Money, Sku};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, OpenApi, ToSchema, openapi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::domain::Item;
use crate::service::Inventory;
use crate::store::Listed;

/// The longest name of an item, in characters. Every event about the item repeats it.
const NAME_LENGTH_MAX: usize = 200;
/// The highest price of a unit, in minor units: ten million of a currency with cents. With the most
/// units and lines that an order may have, its total still fits.
const PRICE_MINOR_MAX: i64 = 1_000_000_000;

/// The routes of the service.
pub fn routes(handle: Handle<Inventory>) -> OpenApiRouter {
    described().with_state(handle)
}

/// The routes as an OpenAPI document.
pub fn document() -> openapi::OpenApi {
    chassis::openapi::documented(Inventory::NAME, described().into_openapi())
}

fn described() -> OpenApiRouter<Handle<Inventory>> {
    OpenApiRouter::with_openapi(Tags::openapi())
        .routes(routes!(read::list, set::set_all))
        .routes(routes!(read::show, set::set_one))
        .routes(routes!(adjust::adjust))
}

#[derive(OpenApi)]
#[openapi(tags((name = "stock", description = "what there is, at which price, and adjusting it")))]
struct Tags;

/// An item and its units.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StockItem)]
struct ItemView {
    #[schema(example = "TEA-EARL-GREY")]
    sku: String,
    #[schema(example = "Earl Grey, 100 g")]
    name: String,
    /// In minor units.
    #[schema(minimum = 0, maximum = 1_000_000_000, example = 890)]
    unit_price_minor: i64,
    /// ISO 4217.
    #[schema(pattern = "^[A-Z]{3}$", example = "EUR")]
    currency: String,
    /// Units that can be reserved.
    #[schema(minimum = 0, example = 40)]
    free: i64,
    /// Units set aside for orders.
    #[schema(minimum = 0, example = 2)]
    reserved: i64,
    /// Units that have left, less those that were returned.
    #[schema(minimum = 0, example = 58)]
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
#[schema(as = StockItemDescription)]
#[serde(deny_unknown_fields)]
struct Description {
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

impl Description {
    /// The name and price, or what is wrong with them; `place` leads the field's name.
    fn check(&self, place: &str) -> Result<(String, Money), Problem> {
        let field = |name: &str| format!("{place}{name}");
        let name = self.name.trim();
        // The database keeps no NUL.
        if !(1..=NAME_LENGTH_MAX).contains(&name.chars().count()) || name.contains('\0') {
            let detail = format!("1 to {NAME_LENGTH_MAX} characters of text");
            return Err(Problem::invalid_field(field("name"), detail));
        }
        if !(0..=PRICE_MINOR_MAX).contains(&self.unit_price_minor) {
            let detail = format!("0 to {PRICE_MINOR_MAX} minor units");
            return Err(Problem::invalid_field(field("unit_price_minor"), detail));
        }
        let currency: Currency = self.currency.parse().map_err(|error: InvalidCurrency| {
            Problem::invalid_field(field("currency"), error.to_string())
        })?;
        Ok((name.to_owned(), Money::new(self.unit_price_minor, currency)))
    }
}

fn unknown(sku: &Sku) -> Problem {
    let detail = format!("PUT /stock/{sku} creates it");
    Problem::not_found("item_not_found", "there is no such item", detail)
}

fn unreadable(error: &sqlx::Error) -> Problem {
    tracing::error!(error = %error, "items could not be read");
    Problem::unavailable("the stock cannot be read now")
}

/// The SKU in a path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "describes the parameter; the extractor checks it")]
struct SkuPath {
    /// The item's SKU: 1 to 64 letters, digits, dots, underscores or hyphens, not dots alone.
    #[param(
        min_length = 1,
        max_length = 64,
        pattern = "^[A-Za-z0-9._-]*[A-Za-z0-9_-][A-Za-z0-9._-]*$",
        example = "TEA-EARL-GREY"
    )]
    sku: String,
}
