//! Generated from `schemas/`, do not edit: change a schema, then run the tests of this crate with
//! `UPDATE_GENERATED=1`. Kept apart from all handwritten code for that reason.

use serde::{Deserialize, Serialize};

use crate::{Currency, OrderId, Sku};

/// The last free unit of a SKU was taken. Always followed by a StockItemChanged with free_quantity 0, so that compaction keeps name and price.
#[derive(Debug, PartialEq, Eq, Clone, Deserialize, Serialize)]
pub struct InventoryDepleted {
    /// The stock item that ran out; also the message key.
    pub sku: Sku,
    /// When the last free unit was taken.
    pub occurred_at: i64,
}

/// A stock item's name, price or availability, as it is now. The catalogue topic is compacted: the latest one per SKU counts.
#[derive(Debug, PartialEq, Eq, Clone, Deserialize, Serialize)]
pub struct StockItemChanged {
    /// The stock item; also the message key.
    pub sku: Sku,
    /// Name of the product.
    pub name: String,
    /// Price of one unit, in minor units of the currency.
    pub unit_price_minor: i64,
    /// ISO 4217 code of the currency.
    pub currency: Currency,
    /// Units free to be ordered as of this change; reservations in between are not announced.
    pub free_quantity: i64,
    /// When the item changed.
    pub occurred_at: i64,
}

/// One SKU that cannot be served.
#[derive(Debug, PartialEq, Eq, Clone, Deserialize, Serialize)]
pub struct Shortage {
    /// The stock item that is short.
    pub sku: Sku,
    /// How many units the order asked for.
    pub requested: i32,
    /// How many units were free; 0 for an unknown SKU.
    pub available: i32,
}

/// At least one line cannot be served, so nothing is set aside.
#[derive(Debug, PartialEq, Eq, Clone, Deserialize, Serialize)]
pub struct StockRejected {
    /// The order this fact is about (UUIDv7); also the message key.
    pub order_id: OrderId,
    /// Every line that is short.
    pub shortages: Vec<Shortage>,
    /// When the reservation was refused.
    pub occurred_at: i64,
}

/// Nothing is set aside for this cancelled order any more, or ever was.
#[derive(Debug, PartialEq, Eq, Clone, Deserialize, Serialize)]
pub struct StockReleased {
    /// The order this fact is about (UUIDv7); also the message key.
    pub order_id: OrderId,
    /// When the stock was released.
    pub occurred_at: i64,
}

/// One SKU of a reservation.
#[derive(Debug, PartialEq, Eq, Clone, Deserialize, Serialize)]
pub struct StockLine {
    /// The stock item reserved.
    pub sku: Sku,
    /// How many units are set aside.
    pub quantity: i32,
}

/// All lines of the order are set aside for it.
#[derive(Debug, PartialEq, Eq, Clone, Deserialize, Serialize)]
pub struct StockReserved {
    /// The order this fact is about (UUIDv7); also the message key.
    pub order_id: OrderId,
    /// What is set aside, as ordered.
    pub lines: Vec<StockLine>,
    /// When the stock was reserved.
    pub occurred_at: i64,
}

/// The goods of a returned order are free stock again.
#[derive(Debug, PartialEq, Eq, Clone, Deserialize, Serialize)]
pub struct StockReturned {
    /// The order this fact is about (UUIDv7); also the message key.
    pub order_id: OrderId,
    /// When the goods were taken back.
    pub occurred_at: i64,
}

/// Why the cancellation is wanted.
#[derive(Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Clone, Copy, Deserialize, Serialize)]
pub enum CancellationCause {
    #[serde(rename = "UNKNOWN")]
    Unknown,
    #[serde(rename = "CUSTOMER")]
    Customer,
    #[serde(rename = "OVERDUE")]
    Overdue,
}

/// Somebody wants a confirmed order cancelled. Shipping answers with ShipmentCancelled, or has already said ShipmentDispatched.
#[derive(Debug, PartialEq, Eq, Clone, Deserialize, Serialize)]
pub struct OrderCancellationRequested {
    /// The order this fact is about (UUIDv7); also the message key.
    pub order_id: OrderId,
    /// Who or what asked for it.
    pub cause: CancellationCause,
    /// When the cancellation was asked for.
    pub occurred_at: i64,
}

/// Why an order was cancelled.
#[derive(Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Clone, Copy, Deserialize, Serialize)]
pub enum CancelReason {
    #[serde(rename = "UNKNOWN")]
    Unknown,
    #[serde(rename = "OUT_OF_STOCK")]
    OutOfStock,
    #[serde(rename = "PAYMENT_DECLINED")]
    PaymentDeclined,
    #[serde(rename = "SHIPMENT_REFUSED")]
    ShipmentRefused,
    #[serde(rename = "CUSTOMER")]
    Customer,
    #[serde(rename = "OVERDUE")]
    Overdue,
}

/// The order will not be fulfilled: whoever holds something for it gives it back.
#[derive(Debug, PartialEq, Eq, Clone, Deserialize, Serialize)]
pub struct OrderCancelled {
    /// The order this fact is about (UUIDv7); also the message key.
    pub order_id: OrderId,
    /// The first cause that was heard.
    pub reason: CancelReason,
    /// When the order was cancelled.
    pub occurred_at: i64,
}

/// Everything that was held for a cancelled order has been given back: the saga's other end.
#[derive(Debug, PartialEq, Eq, Clone, Deserialize, Serialize)]
pub struct OrderCompensated {
    /// The order this fact is about (UUIDv7); also the message key.
    pub order_id: OrderId,
    /// When the last thing held was given back.
    pub occurred_at: i64,
}

/// The goods are dispatched and the money is received: the saga's happy end.
#[derive(Debug, PartialEq, Eq, Clone, Deserialize, Serialize)]
pub struct OrderCompleted {
    /// The order this fact is about (UUIDv7); also the message key.
    pub order_id: OrderId,
    /// Opaque id of the customer, as in OrderPlaced; null in events from before it was told.
    #[serde(default = "default_ordercompleted_customer_id")]
    pub customer_id: Option<String>,
    /// Amount received, the order's total, in minor units of the currency.
    pub total_minor: i64,
    /// ISO 4217 code of the currency.
    pub currency: Currency,
    /// When the order was completed.
    pub occurred_at: i64,
}

#[inline(always)]
fn default_ordercompleted_customer_id() -> Option<String> {
    None
}

/// Stock is reserved and payment authorised: shipping may dispatch. From here on shipping decides whether a cancellation is still possible.
#[derive(Debug, PartialEq, Eq, Clone, Deserialize, Serialize)]
pub struct OrderConfirmed {
    /// The order this fact is about (UUIDv7); also the message key.
    pub order_id: OrderId,
    /// Opaque code of the place to ship to, which the carrier resolves; never an address.
    pub destination: String,
    /// When the order was confirmed.
    pub occurred_at: i64,
}

/// One SKU of an order.
#[derive(Debug, PartialEq, Eq, Clone, Deserialize, Serialize)]
pub struct OrderLine {
    /// The stock item ordered.
    pub sku: Sku,
    /// How many units, at least 1.
    pub quantity: i32,
    /// Price of one unit when the order was placed, in minor units of the order's currency.
    pub unit_price_minor: i64,
}

/// A customer's order was accepted, with the prices that the fleet charges. Inventory and payment answer it.
#[derive(Debug, PartialEq, Eq, Clone, Deserialize, Serialize)]
pub struct OrderPlaced {
    /// The order this fact is about (UUIDv7); also the message key.
    pub order_id: OrderId,
    /// Opaque id of the customer; who that is stays outside the events.
    pub customer_id: String,
    /// What was ordered; each SKU at most once.
    pub lines: Vec<OrderLine>,
    /// Sum of quantity times unit price over all lines, in minor units of the currency.
    pub total_minor: i64,
    /// ISO 4217 code of the currency.
    pub currency: Currency,
    /// Token of the payment method at the payment provider; never card data.
    pub payment_token: String,
    /// When the order was accepted.
    pub occurred_at: i64,
}

/// The customer returned a completed order: payment refunds, inventory takes the goods back.
#[derive(Debug, PartialEq, Eq, Clone, Deserialize, Serialize)]
pub struct OrderReturned {
    /// The order this fact is about (UUIDv7); also the message key.
    pub order_id: OrderId,
    /// Opaque id of the customer, as in OrderPlaced; null in events from before it was told.
    #[serde(default = "default_orderreturned_customer_id")]
    pub customer_id: Option<String>,
    /// When the return was accepted.
    pub occurred_at: i64,
}

#[inline(always)]
fn default_orderreturned_customer_id() -> Option<String> {
    None
}

/// The goods are on their way: payment captures, inventory deducts.
#[derive(Debug, PartialEq, Eq, Clone, Deserialize, Serialize)]
pub struct OrderShipped {
    /// The order this fact is about (UUIDv7); also the message key.
    pub order_id: OrderId,
    /// Amount to capture, the order's total, in minor units of the currency.
    pub total_minor: i64,
    /// ISO 4217 code of the currency.
    pub currency: Currency,
    /// When the order service heard of the dispatch.
    pub occurred_at: i64,
}

/// The amount is held on the customer's payment method, not yet taken.
#[derive(Debug, PartialEq, Eq, Clone, Deserialize, Serialize)]
pub struct PaymentAuthorized {
    /// The order this fact is about (UUIDv7); also the message key.
    pub order_id: OrderId,
    /// Amount held, in minor units of the currency.
    pub amount_minor: i64,
    /// ISO 4217 code of the currency.
    pub currency: Currency,
    /// The provider's reference of the hold.
    pub authorization_id: String,
    /// When the payment service learned of the authorisation.
    pub occurred_at: i64,
}

/// Why a payment was declined.
#[derive(Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Clone, Copy, Deserialize, Serialize)]
pub enum DeclineReason {
    #[serde(rename = "UNKNOWN")]
    Unknown,
    #[serde(rename = "CARD_DECLINED")]
    CardDeclined,
    #[serde(rename = "INSUFFICIENT_FUNDS")]
    InsufficientFunds,
    #[serde(rename = "EXPIRED_CARD")]
    ExpiredCard,
}

/// The provider refused to hold the amount.
#[derive(Debug, PartialEq, Eq, Clone, Deserialize, Serialize)]
pub struct PaymentDeclined {
    /// The order this fact is about (UUIDv7); also the message key.
    pub order_id: OrderId,
    /// Amount that was asked for, in minor units of the currency.
    pub amount_minor: i64,
    /// ISO 4217 code of the currency.
    pub currency: Currency,
    /// The provider's reason.
    pub reason: DeclineReason,
    /// When the payment service learned of the refusal.
    pub occurred_at: i64,
}

/// The amount held was captured: the money is ours.
#[derive(Debug, PartialEq, Eq, Clone, Deserialize, Serialize)]
pub struct PaymentReceived {
    /// The order this fact is about (UUIDv7); also the message key.
    pub order_id: OrderId,
    /// Amount captured, in minor units of the currency.
    pub amount_minor: i64,
    /// ISO 4217 code of the currency.
    pub currency: Currency,
    /// When the payment service learned of the capture.
    pub occurred_at: i64,
}

/// The amount captured went back to the customer.
#[derive(Debug, PartialEq, Eq, Clone, Deserialize, Serialize)]
pub struct PaymentRefunded {
    /// The order this fact is about (UUIDv7); also the message key.
    pub order_id: OrderId,
    /// Amount refunded, in minor units of the currency.
    pub amount_minor: i64,
    /// ISO 4217 code of the currency.
    pub currency: Currency,
    /// When the payment service learned of the refund.
    pub occurred_at: i64,
}

/// No money is held for this cancelled order any more, or ever was.
#[derive(Debug, PartialEq, Eq, Clone, Deserialize, Serialize)]
pub struct PaymentVoided {
    /// The order this fact is about (UUIDv7); also the message key.
    pub order_id: OrderId,
    /// When the hold was given up.
    pub occurred_at: i64,
}

/// The cancellation came in time: nothing was dispatched and nothing will be.
#[derive(Debug, PartialEq, Eq, Clone, Deserialize, Serialize)]
pub struct ShipmentCancelled {
    /// The order this fact is about (UUIDv7); also the message key.
    pub order_id: OrderId,
    /// When the shipment was cancelled.
    pub occurred_at: i64,
}

/// The carrier took the goods: the saga's pivot, from which it only goes forward.
#[derive(Debug, PartialEq, Eq, Clone, Deserialize, Serialize)]
pub struct ShipmentDispatched {
    /// The order this fact is about (UUIDv7); also the message key.
    pub order_id: OrderId,
    /// The carrier's code to follow the parcel.
    pub tracking_code: String,
    /// When the shipping service learned of the dispatch.
    pub occurred_at: i64,
}

/// Why a carrier refused a shipment.
#[derive(Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Clone, Copy, Deserialize, Serialize)]
pub enum RefusalReason {
    #[serde(rename = "UNKNOWN")]
    Unknown,
    #[serde(rename = "DESTINATION_NOT_SERVED")]
    DestinationNotServed,
    #[serde(rename = "GOODS_NOT_ACCEPTED")]
    GoodsNotAccepted,
}

/// The carrier will not take the goods; nothing was dispatched.
#[derive(Debug, PartialEq, Eq, Clone, Deserialize, Serialize)]
pub struct ShipmentRefused {
    /// The order this fact is about (UUIDv7); also the message key.
    pub order_id: OrderId,
    /// The carrier's reason.
    pub reason: RefusalReason,
    /// When the shipping service learned of the refusal.
    pub occurred_at: i64,
}

/// Someone outside the fleet counted, received or lost goods. The one event that the fleet reads and never writes.
#[derive(Debug, PartialEq, Eq, Clone, Deserialize, Serialize)]
pub struct StockAdjusted {
    /// The producer's id of this adjustment; applied once however often it is sent.
    pub adjustment_id: uuid::Uuid,
    /// The stock item adjusted; also the message key.
    pub sku: Sku,
    /// Change of the units on hand, positive or negative.
    pub delta: i64,
    /// Free text for the audit trail, about goods and never about people.
    #[serde(default = "default_stockadjusted_note")]
    pub note: String,
    /// When the adjustment happened in the warehouse.
    pub occurred_at: i64,
}

#[inline(always)]
fn default_stockadjusted_note() -> String {
    "".to_owned()
}
