//! Problems that a route may answer with whatever it is about, for its OpenAPI description.

use std::collections::BTreeMap;

use utoipa::IntoResponses;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};

/// Problems that every route may answer with.
#[derive(Debug, Clone, Copy)]
pub struct AnyProblem;

/// Problems that every route with a body may answer with besides.
#[derive(Debug, Clone, Copy)]
pub struct BodyProblem;

type Responses = BTreeMap<String, RefOr<Response>>;

impl IntoResponses for AnyProblem {
    fn responses() -> Responses {
        [
            ("400", "the request is malformed: its JSON, its path, a parameter, a header", false),
            ("429", "too many requests at once; try again after `Retry-After`", true),
            ("500", "the request failed; the service's log says why", false),
            ("503", "the service cannot do this now; try again after `Retry-After`", true),
        ]
        .map(problem)
        .into()
    }
}

impl IntoResponses for BodyProblem {
    fn responses() -> Responses {
        [
            ("408", "the body did not arrive in time", false),
            ("413", "the body is too large", false),
            ("415", "the body is not JSON, or compressed", false),
        ]
        .map(problem)
        .into()
    }
}

/// A problem by reference: one type in a generated client, however many routes answer with it.
fn problem((status, text, again): (&str, &str, bool)) -> (String, RefOr<Response>) {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem")));
    let mut response = ResponseBuilder::new()
        .description(text)
        .content("application/problem+json", content.build());
    if again {
        let seconds = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0));
        let header = HeaderBuilder::new().schema(Some(seconds)).description(Some("seconds"));
        response = response.header("Retry-After", header.build());
    }
    (status.to_owned(), RefOr::T(response.build()))
}
