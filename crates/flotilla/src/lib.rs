//! The command line as a library: starting a whole fleet and auditing it are used by the tests and the
//! benchmark as well; writing a new service stands here to be apart from asking for it.

#![warn(missing_docs)]

pub mod fleet;
pub mod audit;
pub mod scaffold;
