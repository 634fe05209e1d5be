//! What a request to place an order must look like, checked before it costs anybody else anything.

use std::collections::HashSet;
use std::fmt::Display;
use std::sync::Arc;

use chassis::Problem;
use events::{Currency, OrderId, Sku};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use crate::placement::{PlaceOrder, Wanted};

/// Lines of an order. A reservation locks a row per line; with more, an order would hold up others.
const LINES_MAX: usize = 100;
/// Units of one line. More is a typing error, or business that needs a contract rather than a cart;
/// and this limit keeps a line's total far from overflow.
const QUANTITY_MAX: i64 = 10_000;
/// Characters of a customer's id.
const CUSTOMER_ID_MAX: usize = 64;
/// What a customer's id looks like, for callers who sent something else.
pub(in crate::api) const CUSTOMER_ID_RULE: &str =
    "must be 1 to 64 letters, digits, '.', '_', ':' or '-'";
/// Characters of a payment token.
const PAYMENT_TOKEN_MAX: usize = 255;

/// An order to place.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct NewOrder {
    /// Opaque id of the customer: 1 to 64 letters, digits, `.`, `_`, `:` or `-`.
    #[schema(
        min_length = 1,
        max_length = 64,
        pattern = "^[A-Za-z0-9._:-]+$",
        example = "customer-7"
    )]
    customer_id: String,
    #[schema(min_items = 1, max_items = 100)]
    lines: Vec<NewLine>,
    /// The country to ship to (ISO 3166-1 alpha-2); never an address.
    #[schema(pattern = "^[A-Z]{2}$", example = "DE")]
    destination: String,
    /// Token of the payment method at the payment provider, 1 to 255 visible ASCII characters.
    /// Never a card number.
    #[schema(min_length = 1, max_length = 255, pattern = "^[!-~]+$", example = "tok_visa")]
    payment_token: String,
    /// The currency expected (ISO 4217); the order is refused when the price list has another.
    #[schema(pattern = "^[A-Z]{3}$", example = "EUR")]
    currency: Option<String>,
}

/// One line of an order to place. Each SKU stands in one line only.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewLine {
    /// The item: 1 to 64 letters, digits, dots, underscores or hyphens, not dots alone.
    #[schema(
        min_length = 1,
        max_length = 64,
        pattern = "^[A-Za-z0-9._-]*[A-Za-z0-9_-][A-Za-z0-9._-]*$",
        example = "TEA-EARL-GREY"
    )]
    sku: String,
    /// Units.
    // Wider than needed, so that a number out of range is refused with the range and not as a type.
    #[schema(minimum = 1, maximum = 10_000, example = 2)]
    quantity: i64,
}

/// Checks the fields and turns the request into a command with a new order id.
pub(super) fn check(body: NewOrder, key: Arc<str>, now_micros: i64) -> Result<PlaceOrder, Problem> {
    let NewOrder { customer_id, lines, destination, payment_token, currency } = body;
    if !is_customer_id(&customer_id) {
        return Err(invalid("customer_id", CUSTOMER_ID_RULE));
    }
    if !is_destination(&destination) {
        return Err(invalid("destination", "must be an ISO 3166-1 country code, such as DE"));
    }
    if !is_visible(&payment_token, PAYMENT_TOKEN_MAX) {
        return Err(invalid("payment_token", "must be 1 to 255 visible ASCII characters"));
    }
    if looks_like_a_card_number(&payment_token) {
        return Err(invalid("payment_token", "must be a provider's token, never a card number"));
    }
    let currency = match currency.map(|code| code.parse::<Currency>()).transpose() {
        Ok(currency) => currency,
        Err(error) => return Err(invalid("currency", error)),
    };
    let lines = check_lines(lines)?;
    let mut place = PlaceOrder {
        order_id: OrderId::made_at(now_micros),
        customer_id,
        lines,
        destination,
        payment_token,
        currency,
        key,
        fingerprint: [0; 32],
    };
    place.fingerprint = fingerprint(&place);
    Ok(place)
}

fn check_lines(lines: Vec<NewLine>) -> Result<Vec<Wanted>, Problem> {
    if !(1..=LINES_MAX).contains(&lines.len()) {
        let count = lines.len();
        return Err(invalid("lines", format!("must be 1 to {LINES_MAX} lines, not {count}")));
    }
    let mut wanted: Vec<Wanted> = Vec::with_capacity(lines.len());
    for (index, line) in lines.into_iter().enumerate() {
        let sku = Sku::new(line.sku).map_err(|error| invalid(&line_field(index, "sku"), error))?;
        if !(1..=QUANTITY_MAX).contains(&line.quantity) {
            let rule = format!("must be 1 to {QUANTITY_MAX}, not {}", line.quantity);
            return Err(invalid(&line_field(index, "quantity"), rule));
        }
        let quantity = i32::try_from(line.quantity).expect("checked against its maximum");
        wanted.push(Wanted { sku, quantity });
    }
    let mut seen = HashSet::with_capacity(wanted.len());
    for (index, line) in wanted.iter().enumerate() {
        if !seen.insert(line.sku.as_str()) {
            let rule = format!("{} stands in an earlier line: add up the quantities", line.sku);
            return Err(invalid(&line_field(index, "sku"), rule));
        }
    }
    Ok(wanted)
}

/// A hash of what the request asks for, however its JSON was written. Each part is preceded by its
/// length, so that no two different requests look alike.
fn fingerprint(place: &PlaceOrder) -> [u8; 32] {
    let mut hash = Sha256::new();
    let mut part = |text: &str| {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text.as_bytes());
    };
    part(&place.customer_id);
    part(&place.destination);
    part(&place.payment_token);
    part(place.currency.as_ref().map_or("", Currency::as_str));
    for line in &place.lines {
        part(line.sku.as_str());
        part(&line.quantity.to_string());
    }
    hash.finalize().into()
}

fn is_visible(text: &str, max: usize) -> bool {
    (1..=max).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Tokens travel in events and are kept for years; a card number must not get that far.
fn looks_like_a_card_number(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    (12..=19).contains(&digits) && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-')
}

pub(in crate::api) fn is_customer_id(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte);
    (1..=CUSTOMER_ID_MAX).contains(&text.len()) && text.bytes().all(allowed)
}

/// Whether the carrier serves the country is for the carrier to say.
fn is_destination(text: &str) -> bool {
    text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase())
}

fn line_field(index: usize, name: &str) -> String {
    format!("lines[{index}].{name}")
}

fn invalid(field: &str, rule: impl Display) -> Problem {
    Problem::invalid_field(field, format!("{field} {rule}"))
}

#[cfg(test)]
mod tests;
