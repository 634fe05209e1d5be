//! The simulator over real HTTP: every rule as a caller meets it, and what survives a kill.

#![allow(clippy::disallowed_methods, reason = "tests take the time from wherever they like")]
#![expect(clippy::unwrap_used, reason = "a test fails where it stands, in its helpers too")]

mod conduct;
mod harness;
mod load;
mod operator;
mod payments;
mod restart;
mod shipments;
