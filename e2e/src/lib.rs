//! Skeleton.
pub mod load;
