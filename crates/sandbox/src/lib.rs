//! A payment provider and a carrier to develop and test against: the rules, and an HTTP simulator with a
//! ledger of its own. The services' in-process adapters follow the same rules. What happens is chosen by
//! input (test cards, destinations) and by the operator's settings, never by chance alone.
//!
//! # Test input
//!
//! | card | provider | | destination | carrier |
//! |---|---|---|---|---|
//! | `tok_visa` | approved | | any `[A-Z]{2}` | dispatched |
//! | `tok_declined`, any unknown token | declined | | `AQ`, no country code | refused, `destination_not_served` |
//! | `tok_insufficient_funds` | declined | | `XX` | refused, `goods_not_accepted` |
//! | `tok_expired` | declined | | `NZ` | booked after `slow_ms` more; a cancellation meanwhile wins |
//! | `tok_timeout` | approved; each step is done and its first answer held back | | `TT` | dispatched; the first answer is held back |
//! | `tok_error` | approved; each step is done and first answered 500 | | `ZZ` | each booking is refused as a call (400), nothing is done; a cancellation is |
//! | `tok_slow` | approved; each step takes `slow_ms` more | | | |
//! | `tok_broken` | the first hold is not done and answered 500, for as long as its key is known; approved under another | | | |
//! | `tok_broken_after` | the same, but the first hold is done | | | |
//! | `tok_hold_expires` | approved; the hold is gone when it is to be captured | | | |
//! | `tok_refund_pending` | approved; a refund is `pending` first and then `succeeded` | | | |
//! | `tok_refund_fails` | approved; a refund is `pending` first and then `failed` | | | |
//!
//! A card covers amounts up to [`payment::CARD_LIMIT_MINOR`] and declines more as insufficient funds.
//!
//! # HTTP: the provider
//!
//! Every `/v1` call needs `Authorization: Bearer sk_test_…`, every provider `POST` also an
//! `Idempotency-Key` (1 to 255 characters). Bodies are form-encoded; unknown parameters are ignored.
//!
//! | call | parameters | answer |
//! |---|---|---|
//! | `POST /v1/payment_intents` | `amount`, `currency`, `payment_method`, `capture_method=manual`, `confirm=true`, `metadata[order_id]` | 200 payment intent, or 402 |
//! | `POST /v1/payment_intents/{id}/capture` | `amount_to_capture` (all when absent; the rest is let go) | 200 payment intent |
//! | `POST /v1/payment_intents/{id}/cancel` | | 200 payment intent |
//! | `POST /v1/refunds` | `payment_intent`, `amount` (all that is left when absent) | 200 refund |
//! | `GET /v1/payment_intents/{id}` | | 200 payment intent |
//! | `GET /v1/payment_intents/search` | `query=metadata['order_id']:'…'` | 200, the payment intents as `data`; those that are younger than `search_lag_ms` are missing |
//! | `GET /v1/refunds` | `?payment_intent=` | 200 its refunds as they are now, the latest first |
//! | `GET /v1/refunds/{id}` | | 200 refund as it is now |
//!
//! A payment intent: `id` (`pi_` and the order id without hyphens; a second one of the order ends in
//! `_2`), `status` (`requires_capture`, `succeeded`, `canceled`, `requires_payment_method`), `amount`,
//! `amount_capturable`, `amount_received`, `currency`, `payment_method`, `metadata.order_id`,
//! `created`, `last_payment_error`. A refund: `id` (`re_…`), `status` (`succeeded`, `pending`, `failed`), `amount`,
//! `currency`, `payment_intent`. `requires_payment_method` is final here: there is no second attempt.
//!
//! The same key and call gets its first answer again, with `Idempotent-Replayed: true`. Only what was done
//! is remembered under its key; a decline was done, a refused call was not. A key is known for
//! `key_memory_ms`; afterwards the same call under it is a new one. A server error of a broken card is stored
//! under its key like any answer.
//!
//! # HTTP: the carrier
//!
//! Bodies are JSON. The order is the key: each call may be repeated.
//!
//! | call | body | answer |
//! |---|---|---|
//! | `PUT /v1/shipments/{order_id}` | `{"destination":"DE"}` | 200, one of the answers below |
//! | `POST /v1/shipments/{order_id}/cancel` | | 200, one of the answers below; remembered also before the booking |
//! | `GET /v1/shipments/{order_id}` | | 200 or 404 |
//!
//! `{"status":"dispatched","tracking_code":"SBX…"}`, `{"status":"refused","reason":"…"}` or
//! `{"status":"cancelled"}`. The first answer about an order stands.
//!
//! # HTTP: errors
//!
//! `{"error":{"type","code"?,"decline_code"?,"param"?,"message","payment_intent"?}}`
//!
//! | status | type, code | for the caller |
//! |---|---|---|
//! | 402 | `card_error`: `card_declined` (decline code `generic_decline` or `insufficient_funds`), `expired_card` | the outcome: declined; `error.payment_intent` is there |
//! | 400 | `idempotency_error`: the key was used for another call | a bug |
//! | 400 | `invalid_request_error`: `parameter_missing`, `parameter_invalid`, `parameter_invalid_integer`, `amount_too_small`, `amount_too_large`, `payment_intent_unexpected_state`, `charge_already_refunded`, `idempotency_key_missing` | a bug; nothing was done |
//! | 409 | `idempotency_error`: booked with another destination | a bug |
//! | 401, 404 `resource_missing`, 405, 413 | `invalid_request_error` | configuration, or a bug |
//! | 503 with `Retry-After`, 500, 504, no answer | `api_error` | unknown: ask again with the same key |
//!
//! # HTTP: the operator
//!
//! No key, so listen on the loopback. `GET /healthz`; `GET /ledger?after=<order id>&limit=<1..1000>`
//! (totals, and per order its payments and shipment; continue after `next` until it is null);
//! `GET /ledger/{order_id}`; `GET /control` and `POST /control` with any of `latency_ms`, `slow_ms`,
//! `failure_rate` (503, nothing done), `lose_answer_rate` (done, the answer held back for `hold_ms`),
//! `hold_ms`, `key_memory_ms`, `search_lag_ms`. Rates are from 0 to 1 and apply to calls that change something.

pub mod carrier;
pub mod conduct;
pub mod http;
pub mod journal;
pub mod ledger;
pub mod manner;
pub mod payment;
pub mod recent;
pub mod simulator;
