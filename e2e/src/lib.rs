//! The fleet as a whole: the rules without servers (`simulation`, `transitions`), a shop on a running fleet
//! (`shop`), and the load benchmark (`load`).

pub mod load;
pub mod shop;
pub mod simulation;
pub mod transitions;
