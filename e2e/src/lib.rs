//! Skeleton.
pub mod load;
pub mod shop;
