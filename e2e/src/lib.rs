//! The fleet as a whole: the rules without servers (`simulation`, `transitions`), a shop on a running fleet
//! (`shop`, and `rig` for tests that kill), what it says about itself (`members`, `documents`), and what every
//! service needs (`coverage`).

pub mod coverage;
pub mod documents;
pub mod members;
pub mod rig;
pub mod shop;
pub mod simulation;
pub mod transitions;
