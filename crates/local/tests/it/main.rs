//! The supervisor against real servers: one program, so that the tests share what they start.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod environment;
mod killed;
mod processes;
mod roles;
