//! The fleet as images: built from the Dockerfile and run by a real Docker engine, alone and together with everything
//! that docker-compose.kafka.yml names. The programs are those of this build, compiled on this machine; that the
//! Dockerfile compiles them as well is shown by `./x images`, which takes a quarter of an hour.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod compose;
mod engine;
mod programs;
mod servers;
mod settings;
