//! The command line as a library: the tests and the benchmark also start a whole fleet and audit it;
//! writing a new service is here to be separate from asking for it, and so are the recorded sagas
//! and what is made of them.

#![warn(missing_docs)]

pub mod fleet;
pub mod audit;
pub mod evolution;
pub mod scaffold;
pub mod sagas;
pub mod contract;
