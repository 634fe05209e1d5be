//! A row over HTTP, the same for every service whose work is one state for each key: its path, the answer if it is
//! not there or cannot be read, and the call that it waits for. The service says what its rows look like.

use std::borrow::Cow;
use std::error::Error;
use std::fmt::Display;

use axum::extract::State;
use axum::routing::get;
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaType, Type};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{HttpMethod, OpenApi, OpenApiBuilder, Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use uuid::Uuid;

use super::{KeyOf, KeyedService, Shown, Stored, find_row};
use crate::calls::intents::next_attempt_at;
use crate::executor::handle::Handle;
use crate::http::described::{self, Described};
use crate::http::extract::{Json, Path};
use crate::http::openapi;
use crate::http::problem::Problem;

/// What rows are called where they are shown.
#[derive(Debug, Clone, Copy)]
pub struct Resource {
    /// One of them, such as `shipment`.
    pub one: &'static str,
    /// All of them: the first segment of the path.
    pub many: &'static str,
    /// What they are about.
    pub about: &'static str,
    /// The code of the problem that no row has a given key.
    pub not_found: &'static str,
    /// Why there may be none.
    pub absent: &'static str,
}

/// A service whose rows anybody may read, one by one. Nothing can be done to them there.
pub trait Shows: KeyedService {
    /// What they are called.
    const RESOURCE: Resource;
    /// A row as it is shown.
    type View: Serialize + ToSchema + Send + 'static;
    /// What the outside is asked for in a call: with the key, what the call is known by. Its schema is called
    /// `…Step`.
    type Step: Serialize + ToSchema + Display + Send + 'static;

    /// The step that a call is.
    fn step(call: &Self::Call) -> Self::Step;

    /// Shows a row and the call that it waits for.
    fn view(
        key: KeyOf<Self>,
        row: Shown<Self::State>,
        open_call: Option<OpenCall<Self::Step>>,
    ) -> Result<Self::View, sqlx::Error>;
}

/// A call whose outcome is not known yet. Its schema is called after that of its step: `OpenPaymentCall`.
#[derive(Debug, Serialize)]
pub struct OpenCall<S> {
    step: S,
    next_attempt_at: Option<DateTime<Utc>>,
}

impl<S: ToSchema> PartialSchema for OpenCall<S> {
    fn schema() -> RefOr<Schema> {
        let when =
            "When the call is made again at the latest, should its outcome not have come back.";
        let when = described::time()
            .schema_type(SchemaType::Array(vec![Type::String, Type::Null]))
            .description(Some(when));
        ObjectBuilder::new()
            .description(Some("A call whose outcome is not known yet."))
            .property("step", Ref::from_schema_name(S::name()))
            .property("next_attempt_at", when)
            .required("step")
            .required("next_attempt_at")
            .into()
    }
}

impl<S: ToSchema> ToSchema for OpenCall<S> {
    fn name() -> Cow<'static, str> {
        format!("Open{}Call", S::name().trim_end_matches("Step")).into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((S::name().into(), S::schema()));
        S::schemas(schemas);
    }
}

/// The public routes of such a service, and nothing else.
pub(crate) fn routes<P: Shows>(handle: Handle<P>) -> OpenApiRouter {
    public::<P>().with_state(handle)
}

/// What these routes are, as an OpenAPI document.
pub fn document<P: Shows>() -> OpenApi {
    openapi::documented(P::NAME, public::<P>().into_openapi())
}

fn public<P: Shows>() -> OpenApiRouter<Handle<P>> {
    let Resource { one, absent, .. } = P::RESOURCE;
    let route = Described::new(P::RESOURCE.many, format!("get_{one}"), format!("Show a {one}"))
        .text("As it is now. It follows what the service hears; nothing can be done to it here.")
        .key(P::State::TABLE.key)
        .answers::<P::View>(&format!("the {one}"))
        .refuses("404", absent)
        .of_any_problem();
    tagged::<P>().routes(route.at(HttpMethod::Get, &path::<P>(""), get(show::<P>)))
}

/// A router whose routes are about the rows of a service.
pub(crate) fn tagged<P: Shows>() -> OpenApiRouter<Handle<P>> {
    let Resource { many, about, .. } = P::RESOURCE;
    let tag = TagBuilder::new().name(many).description(Some(about)).build();
    OpenApiRouter::with_openapi(OpenApiBuilder::new().tags(Some([tag])).build())
}

/// The path of a row, or of something below it.
pub(crate) fn path<P: Shows>(below: &str) -> String {
    format!("/{}/{{{}}}{below}", P::RESOURCE.many, P::State::TABLE.key)
}

async fn show<P: Shows>(
    State(handle): State<Handle<P>>,
    Path(key): Path<Uuid>,
) -> Result<Json<P::View>, Problem> {
    look(&handle, key).await.map(Json)
}

/// A row as it is, or why it cannot be shown.
pub(crate) async fn look<P: Shows>(handle: &Handle<P>, key: Uuid) -> Result<P::View, Problem> {
    let Resource { one, not_found, absent, .. } = P::RESOURCE;
    let found = find(handle, key.into()).await.map_err(|error| unavailable::<P>(&error))?;
    found.ok_or_else(|| Problem::not_found(not_found, format!("there is no such {one}"), absent))
}

async fn find<P: Shows>(handle: &Handle<P>, key: KeyOf<P>) -> Result<Option<P::View>, sqlx::Error> {
    let Some(row) = find_row::<P::State>(handle.db(), key).await? else { return Ok(None) };
    let open_call = match P::open_call(key, &row.state) {
        Some(call) => {
            let next_attempt_at = next_attempt_at(handle.db(), key.into()).await?;
            Some(OpenCall { step: P::step(&call), next_attempt_at })
        }
        None => None,
    };
    P::view(key, row, open_call).map(Some)
}

/// Logs why, which is not the caller's business.
pub(crate) fn unavailable<P: Shows>(error: &dyn Error) -> Problem {
    tracing::error!(error = %error, "{} cannot be read", P::RESOURCE.many);
    Problem::unavailable(format!("the {} cannot be read now", P::RESOURCE.one))
}
