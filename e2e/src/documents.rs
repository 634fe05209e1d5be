//! The OpenAPI documents of the fleet, made from the code: `docs/openapi.json` describes all services in one,
//! `docs/openapi-admin.json` what operators can ask each of them.

use chassis::openapi;
use local::{DEFAULT_BASE_PORT, Ports};
use roster::SERVICES;
use serde_json::Value;

use crate::members::code_of;

/// Each document with its file under `docs`. As servers it names the ports of a local fleet.
pub fn all() -> [(&'static str, String); 2] {
    let ports = Ports::from_base(DEFAULT_BASE_PORT);
    let documents = SERVICES.iter().filter_map(|name| {
        let document = code_of(name)?.document?;
        Some((format!("http://127.0.0.1:{}", ports.get(name)), document()))
    });
    let fleet = openapi::fleet(documents);
    [("openapi.json", text(&fleet)), ("openapi-admin.json", text(&chassis::admin_openapi()))]
}

fn text(document: &impl serde::Serialize) -> String {
    let document: Value = serde_json::to_value(document).expect("a document is plain data");
    format!("{document:#}\n")
}
