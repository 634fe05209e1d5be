//! What goes through a topic: Avro framed with the registry's ids, topics as they must be, trace headers, sizes. Both
//! directions use it, so it belongs to neither.

pub(crate) mod codec;
pub mod topics;
pub(crate) mod registry;
pub(crate) mod trace;
pub(crate) mod cause;
pub(crate) mod limits;
pub(crate) mod headers;
pub mod tail;
#[cfg(feature = "archive")]
pub mod archive;
#[cfg(feature = "archive")]
mod sender;
#[cfg(feature = "outside")]
pub mod groups;
#[cfg(feature = "outside")]
pub mod json;
#[cfg(feature = "outside")]
pub mod outside;
#[cfg(feature = "outside")]
pub mod replay;
