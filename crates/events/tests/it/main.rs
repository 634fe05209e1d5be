//! The checks of the published language, in one binary: schemas, generated types and topics agree.

mod codegen;
mod generated;
mod schemas;
