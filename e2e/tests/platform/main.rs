//! What is deployed, without a cluster: the chart, kustomize, alerts and dashboards, judged by the tools that use them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod alerts;
mod chart;
mod copies;
mod dashboards;
mod fleet;
mod kustomize;
mod network;
mod policies;
mod secrets;
mod tools;
mod values;
