//! How events arrive: what a service subscribes to, where each partition is read from, and what happens to
//! records that cannot be processed.

pub(crate) mod subscription;
pub(crate) mod consumer;
pub(crate) mod offsets;
pub(crate) mod set_back;
pub(crate) mod heard;
pub(crate) mod dead_letters;
pub(crate) mod brokers;
pub(crate) mod statistics;
