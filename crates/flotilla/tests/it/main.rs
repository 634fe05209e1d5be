//! The program `flotilla` itself, as people and scripts run it, against real servers.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod cli;
mod logs;
mod new;
mod nowhere;
mod operating;
mod output;
mod reference;
mod ready;
mod schemas;
mod topics;
mod verify;
mod watching;
