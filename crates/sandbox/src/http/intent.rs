//! A payment intent as JSON. Separate from the routes, as a declined payment is shown in an error too.

use serde_json::{Value, json};

use crate::ledger::Receipt;
use crate::payment::{Decline, Status};

/// A payment as the provider shows it.
pub(super) fn intent_json(receipt: &Receipt) -> Value {
    let account = &receipt.account;
    let last_payment_error = match account.status {
        Status::RequiresPaymentMethod(reason) => {
            let (code, decline_code) = card_codes(reason);
            json!({ "type": "card_error", "code": code, "decline_code": decline_code })
        }
        Status::RequiresCapture | Status::Succeeded | Status::Canceled => Value::Null,
    };
    json!({
        "id": receipt.id,
        "object": "payment_intent",
        "status": account.status.name(),
        "amount": account.amount_minor,
        "amount_capturable": account.held_minor(),
        "amount_received": account.captured_minor,
        "currency": account.currency,
        "capture_method": "manual",
        "payment_method": receipt.token,
        "metadata": { "order_id": receipt.id.order },
        "created": receipt.created_seconds,
        "livemode": false,
        "last_payment_error": last_payment_error,
    })
}

/// The public code and decline code of a decline.
pub(super) fn card_codes(reason: Decline) -> (&'static str, &'static str) {
    match reason {
        Decline::CardDeclined => ("card_declined", "generic_decline"),
        Decline::InsufficientFunds => ("card_declined", "insufficient_funds"),
        Decline::ExpiredCard => ("expired_card", "expired_card"),
    }
}
