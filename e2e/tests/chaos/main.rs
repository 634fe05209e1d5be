//! Whatever is killed, whenever: every order ends, and the books agree.

#![allow(clippy::unwrap_used, reason = "a run that cannot go on should say where")]

mod kills;
mod crashes;
mod providers;
mod away;
