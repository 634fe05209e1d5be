//! The OpenAPI documents of the fleet, made of the code: `docs/openapi.json` describes all services in one,
//! `docs/openapi-admin.json` what operators ask each of them.

use chassis::openapi;
use serde_json::Value;

/// The ports of a local fleet, which the document of a whole fleet names as its servers.
const SERVERS: [&str; 4] = [
    "http://127.0.0.1:7400",
    "http://127.0.0.1:7402",
    "http://127.0.0.1:7404",
    "http://127.0.0.1:7406",
];

/// Each document with the file that holds it, under `docs`.
pub fn all() -> [(&'static str, String); 2] {
    let services =
        [order::document(), payment::document(), inventory::document(), shipping::document()];
    let fleet = openapi::fleet(SERVERS.into_iter().zip(services).collect());
    [("openapi.json", text(&fleet)), ("openapi-admin.json", text(&chassis::admin_openapi()))]
}

fn text(document: &impl serde::Serialize) -> String {
    let document: Value = serde_json::to_value(document).expect("a document is plain data");
    format!("{document:#}\n")
}
