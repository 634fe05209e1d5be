//! Routes in OpenAPI: the problems that any of them may answer with, and the routes that are the same for
//! several services, which no attribute can describe as their types are the services'.

use std::collections::BTreeMap;

use axum::routing::MethodRouter;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{OperationBuilder, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type};
use utoipa::openapi::{
    Content, ContentBuilder, HttpMethod, Paths, Ref, RefOr, Required, Response, ResponseBuilder,
};
use utoipa::{IntoParams, IntoResponses, ToSchema};
use utoipa_axum::router::UtoipaMethodRouter;

/// Problems that every route may answer with.
#[derive(Debug, Clone, Copy)]
pub struct AnyProblem;

/// Problems that every route with a body may also answer with.
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

/// The description of a route whose types are a service's.
pub(crate) struct Described {
    operation: OperationBuilder,
    responses: Responses,
    schemas: Vec<(String, RefOr<Schema>)>,
}

impl Described {
    pub(crate) fn new(tag: &str, id: String, summary: String) -> Self {
        let operation =
            OperationBuilder::new().tag(tag).operation_id(Some(id)).summary(Some(summary));
        Described { operation, responses: Responses::new(), schemas: Vec::new() }
    }

    pub(crate) fn text(mut self, text: &str) -> Self {
        self.operation = self.operation.description(Some(text));
        self
    }

    /// The key is in the path, under the name of its column.
    pub(crate) fn key(mut self, name: &str) -> Self {
        let parameter = ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Path)
            .required(Required::True)
            .description(Some("whose it is"))
            .schema(Some(uuid()));
        self.operation = self.operation.parameter(parameter);
        self
    }

    pub(crate) fn query<T: IntoParams>(mut self) -> Self {
        let parameters = T::into_params(|| Some(ParameterIn::Query));
        self.operation = self.operation.parameters(Some(parameters));
        self
    }

    /// The body, with the problems that one may have.
    pub(crate) fn takes<T: ToSchema>(mut self) -> Self {
        let body = RequestBodyBuilder::new().content("application/json", self.json::<T>());
        let body = body.required(Some(Required::True)).build();
        self.operation = self.operation.request_body(Some(body));
        self.responses.extend(BodyProblem::responses());
        self
    }

    pub(crate) fn answers<T: ToSchema>(mut self, text: &str) -> Self {
        let content = self.json::<T>();
        let response = ResponseBuilder::new().description(text);
        let response = response.content("application/json", content).build();
        self.responses.insert("200".to_owned(), RefOr::T(response));
        self
    }

    pub(crate) fn refuses(mut self, status: &str, text: &str) -> Self {
        self.responses.extend([problem((status, text, false))]);
        self
    }

    pub(crate) fn of_any_problem(mut self) -> Self {
        self.responses.extend(AnyProblem::responses());
        self
    }

    /// The route, for a router.
    pub(crate) fn at<S>(
        self,
        method: HttpMethod,
        path: &str,
        route: MethodRouter<S>,
    ) -> UtoipaMethodRouter<S> {
        let operation = self
            .responses
            .into_iter()
            .fold(self.operation, |operation, (status, r)| operation.response(status, r));
        let mut paths = Paths::new();
        paths.add_path_operation(path, vec![method], operation);
        (self.schemas, paths, route)
    }

    /// A type by reference, with its schema among those of the route.
    fn json<T: ToSchema>(&mut self) -> Content {
        self.schemas.push((T::name().into(), T::schema()));
        T::schemas(&mut self.schemas);
        ContentBuilder::new().schema(Some(Ref::from_schema_name(T::name()))).build()
    }
}

/// An id in JSON.
pub(crate) fn uuid() -> ObjectBuilder {
    text(KnownFormat::Uuid)
}

/// A time in JSON.
pub(crate) fn time() -> ObjectBuilder {
    text(KnownFormat::DateTime)
}

fn text(format: KnownFormat) -> ObjectBuilder {
    let format = SchemaFormat::KnownFormat(format);
    ObjectBuilder::new().schema_type(Type::String).format(Some(format))
}

/// A problem by reference: one type in a generated client, no matter how many routes answer with it.
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
