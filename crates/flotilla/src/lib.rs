//! The command line as a library: starting a whole fleet and auditing it are used by the tests and the
//! benchmark as well.

#![warn(missing_docs)]

pub mod fleet;
pub mod audit;
