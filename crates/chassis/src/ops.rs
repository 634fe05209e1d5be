//! What operators see and do: the admin port, health, logs, metrics, traces.

pub(crate) mod admin;
pub(crate) mod health;
pub(crate) mod logs;
pub(crate) mod observe;
pub(crate) mod telemetry;
pub(crate) mod measures;
