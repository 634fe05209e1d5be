//! The fleet as a whole: the rules without servers (`simulation`, `transitions`), a shop on a running fleet
//! (`shop`, and `rig` for tests that kill), what it says of itself (`members`, `documents`, `configuration`),
//! what others may rely on (`contract`), what every service needs (`coverage`), what Grafana shows of it
//! (`dashboards`, `series`), and what documents tell people to run (`page`).

pub mod configuration;
pub mod contract;
pub mod coverage;
pub mod dashboards;
pub mod documents;
pub mod members;
pub mod page;
pub mod rig;
pub mod series;
pub mod shop;
pub mod simulation;
pub mod transitions;
