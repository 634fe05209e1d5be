//! The fleet as a whole: the rules without servers (`simulation`, `transitions`), a shop on a running fleet
//! (`shop`), what it says of itself (`documents`), and the load benchmark (`load`).

#![allow(clippy::disallowed_methods, reason = "a load names orders by this machine's time")]

pub mod documents;
pub mod load;
pub mod shop;
pub mod simulation;
pub mod transitions;
