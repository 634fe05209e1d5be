//! The fleet as a whole: the rules without servers (`simulation`, `transitions`), a shop on a running fleet
//! (`shop`), and what it says of itself (`documents`).

pub mod documents;
pub mod shop;
pub mod simulation;
pub mod transitions;
