//! How many points a customer has, over HTTP.

use axum::extract::State;
use chassis::{AnyProblem, Handle, Json, Path, Problem};
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::points::{self, Points};

/// The most characters of a customer's id that the order service accepts.
const CUSTOMER_ID_MAX: usize = 64;

/// The routes of the service.
pub(crate) fn routes(handle: Handle<Points>) -> OpenApiRouter {
    OpenApiRouter::with_openapi(Tags::openapi()).routes(routes!(show)).with_state(handle)
}

#[derive(OpenApi)]
#[openapi(tags((name = "points", description = "what customers have earned")))]
struct Tags;

/// What a customer has.
#[derive(Debug, Serialize, ToSchema)]
struct Balance {
    #[schema(example = "customer-7")]
    customer_id: String,
    #[schema(minimum = 0)]
    points: i64,
}

/// A text that may be a customer's id; some others the database cannot even compare.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
struct CustomerId(String);

impl TryFrom<String> for CustomerId {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte);
        match (1..=CUSTOMER_ID_MAX).contains(&text.len()) && text.bytes().all(allowed) {
            true => Ok(CustomerId(text)),
            false => Err("a customer's id is 1 to 64 letters, digits, '.', '_', ':' or '-'"),
        }
    }
}

/// Show a customer's points
///
/// A customer of whom nothing was heard has none.
#[utoipa::path(
    get,
    path = "/customers/{customer_id}/points",
    tag = "points",
    operation_id = "get_points",
    params(("customer_id" = String, Path, description = "the customer")),
    responses((status = OK, description = "the customer's points", body = Balance), AnyProblem)
)]
async fn show(
    State(handle): State<Handle<Points>>,
    Path(CustomerId(customer_id)): Path<CustomerId>,
) -> Result<Json<Balance>, Problem> {
    let points = points::of_customer(handle.db(), &customer_id).await.map_err(|error| {
        tracing::error!(error = %error, "points cannot be read");
        Problem::unavailable("the points cannot be read now")
    })?;
    Ok(Json(Balance { customer_id, points }))
}
