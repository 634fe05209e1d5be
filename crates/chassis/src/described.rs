//! Problems that a route may answer with whatever it is about, for its OpenAPI description.

use utoipa::IntoResponses;

use crate::problem::Problem;

/// Problems that every route may answer with.
#[derive(Debug, IntoResponses)]
pub enum AnyProblem {
    /// The request is malformed: its JSON, a parameter, a header.
    #[response(status = 400, content_type = "application/problem+json")]
    Malformed(#[to_schema] Problem),
    /// Too many requests at once; try again after `Retry-After`.
    #[response(status = 429, content_type = "application/problem+json")]
    Busy(#[to_schema] Problem),
    /// The service cannot do this now; try again after `Retry-After`.
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(#[to_schema] Problem),
}

/// Problems that every route with a body may answer with besides.
#[derive(Debug, IntoResponses)]
pub enum BodyProblem {
    /// The body is too large.
    #[response(status = 413, content_type = "application/problem+json")]
    TooLarge(#[to_schema] Problem),
    /// The body is not JSON.
    #[response(status = 415, content_type = "application/problem+json")]
    NotJson(#[to_schema] Problem),
}
