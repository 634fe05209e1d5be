//! The payment service against the world outside it: orders, providers and their moods, settings.

#![allow(clippy::disallowed_methods, reason = "tests take the time from wherever they like")]
#![expect(clippy::unwrap_used, reason = "a test fails where it stands, in its helpers too")]

mod asked;
mod handlers;
mod forgetting;
mod http;
mod rules;
mod settings;
mod simulator;
mod store;
