//! The public HTTP API. One file per kind of request; what they share is here.

mod cancel;
mod events;
mod list;
mod place;
mod read;
mod view;

use std::sync::Arc;

use chassis::{Handle, Hub, Problem, Service};
use utoipa::{OpenApi, openapi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::service::Orders;
use crate::store::OrderRow;

/// What every route holds.
#[derive(Clone)]
struct Api {
    handle: Handle<Orders>,
    hub: Arc<Hub<OrderRow>>,
}

/// All routes.
pub(crate) fn routes(handle: Handle<Orders>) -> OpenApiRouter {
    let hub = Hub::of(&handle);
    described().with_state(Api { handle, hub })
}

/// The routes as an OpenAPI document.
pub fn document() -> openapi::OpenApi {
    chassis::openapi::documented(Orders::NAME, described().into_openapi())
}

fn described() -> OpenApiRouter<Api> {
    OpenApiRouter::with_openapi(Tags::openapi())
        .routes(routes!(place::place_order, list::list_orders))
        .routes(routes!(read::get_order))
        .routes(routes!(cancel::cancel_order))
        .routes(routes!(cancel::return_order))
        .routes(routes!(events::order_events))
}

#[derive(OpenApi)]
#[openapi(tags((name = "orders", description = "placing, watching, cancelling and returning")))]
struct Tags;

/// There is no order with the id in the path.
fn no_such_order() -> Problem {
    let detail = "no order with this id was ever accepted; look at GET /orders for those that were";
    Problem::not_found("order_not_found", "there is no such order", detail)
}

/// Logs the cause, which is not the caller's business.
fn cannot_read(error: &sqlx::Error) -> Problem {
    tracing::warn!(%error, "could not read orders");
    Problem::unavailable("orders cannot be read at the moment")
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn every_answer_of_every_route_is_described() {
        let document = serde_json::to_value(document()).unwrap();
        let statuses = |path: &str, method: &str| -> Vec<String> {
            let path = path.replace('/', "~1");
            let answers = document.pointer(&format!("/paths/{path}/{method}/responses")).unwrap();
            answers.as_object().unwrap().keys().cloned().collect()
        };
        let order = "/orders/{order_id}";
        for (path, method, expected) in [
            ("/orders", "post", "200 201 202 400 408 413 415 422 429 500 503"),
            ("/orders", "get", "200 400 429 500 503"),
            (order, "get", "200 400 404 429 500 503"),
            (&format!("{order}/cancel"), "post", "202 400 404 409 429 500 503"),
            (&format!("{order}/return"), "post", "202 400 404 409 429 500 503"),
            (&format!("{order}/events"), "get", "200 204 400 404 429 500 503"),
        ] {
            assert_eq!(statuses(path, method).join(" "), expected, "{method} {path}");
        }
        let schemas = document["components"]["schemas"].as_object().unwrap();
        for name in ["NewOrder", "PlacedOrder", "Order", "OrderPage", "CommandAccepted", "Problem"]
        {
            assert!(schemas.contains_key(name), "{name} is not among {:?}", schemas.keys());
        }
        assert_eq!(
            document.pointer("/components/schemas/Order/properties/history/type"),
            Some(&Value::from("array"))
        );
    }
}
