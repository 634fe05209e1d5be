//! What every OpenAPI document says about itself, where it is served, and the document of a whole fleet. Separate
//! from the HTTP frame, as documents are also made without a running service.

use std::collections::BTreeMap;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::response::Html;
use axum::routing::get;
use utoipa::PartialSchema;
use utoipa::openapi::{Components, InfoBuilder, LicenseBuilder, OpenApi, ServerBuilder};

use crate::http::docs_page;
use crate::http::problem::Problem;

/// Completes a document that describes routes: adds the frame that is the same for all of them.
pub fn documented(name: &str, mut document: OpenApi) -> OpenApi {
    let license = LicenseBuilder::new()
        .name("MIT OR Apache-2.0")
        .identifier(Some("MIT OR Apache-2.0"))
        .build();
    document.info = InfoBuilder::new()
        .title(format!("Flotilla {name}"))
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "Part of an event-driven fleet that fulfils orders. Errors are problem details (RFC 9457) with \
             a `code` for programs. Lists are read page by page: `limit`, `cursor`, `next_cursor`.",
        ))
        .license(Some(license))
        .build();
    document.servers = Some(vec![ServerBuilder::new().url("/").build()]);
    // Nobody is authenticated: the ports are for the loopback or for a proxy in front of them.
    document.security = Some(Vec::new());
    let components = document.components.get_or_insert_with(Components::new);
    components.schemas.insert("Problem".to_owned(), Problem::schema());
    document
}

/// Serves a document as JSON and as a page.
pub(crate) fn serve(router: Router, name: &str, document: OpenApi) -> Router {
    let document = document.to_pretty_json().expect("an OpenAPI document is plain data");
    let page = docs_page::render(name, &document);
    let json = [(CONTENT_TYPE, "application/json")];
    router
        .route("/openapi.json", get(async move || (json, document.clone())))
        .route("/docs", get(async move || Html(page.clone())))
}

/// One document of a fleet: the routes of all services, each with the server that has it.
///
/// # Panics
/// When two services mean different things by one name: clients generated from the document could not tell them apart.
pub fn fleet(services: impl IntoIterator<Item = (String, OpenApi)>) -> OpenApi {
    let mut fleet = documented("fleet", OpenApi::default());
    let mut meant = BTreeMap::new();
    for (server, mut document) in services {
        for path in document.paths.paths.values_mut() {
            path.servers = Some(vec![ServerBuilder::new().url(&server).build()]);
        }
        for (name, schema) in document.components.iter().flat_map(|all| &all.schemas) {
            let known = meant.entry(name.clone()).or_insert_with(|| schema.clone());
            assert!(known == schema, "{name} means different things");
        }
        fleet.merge(document);
    }
    fleet
}
