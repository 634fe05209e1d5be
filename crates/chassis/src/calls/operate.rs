//! What operators may do about calls, on the admin port, the same for every service that makes calls: see which
//! stay open, and say what became of one where the outside does not. The outcomes are the service's own.

use std::borrow::Cow;
use std::sync::Arc;

use axum::extract::State;
use axum::routing::{get, post};
use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde::ser::{Serialize, SerializeMap, Serializer};
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Schema};
use utoipa::openapi::{HttpMethod, Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use uuid::Uuid;

use crate::calls::settle::{OpenFor, Settlement};
use crate::executor::handle::Handle;
use crate::http::described::{self, Described};
use crate::http::extract::{Json, Path, Query};
use crate::http::problem::Problem;
use crate::rows::show::{self, Resource, Shows};
use crate::rows::{Addressed, Reply, Stored};

/// A service whose calls operators may settle.
pub trait Settles: Shows {
    /// Whom it calls, such as `carrier`.
    const OUTSIDE: &'static str;
    /// What operators send: the outcome and what belongs to it, who says so, and how they know.
    type NewSettlement: DeserializeOwned + ToSchema + Send + 'static;

    /// What the outside would have said, and who says it in its place.
    fn check(settlement: Self::NewSettlement) -> Result<(Self::Input, Settlement), Problem>;
}

/// The routes.
pub(crate) fn routes<P: Settles>(handle: Handle<P>) -> OpenApiRouter {
    let Resource { one, many, absent, .. } = P::RESOURCE;
    let outside = P::OUTSIDE;
    let open = Described::new(
        many,
        "list_open_calls".to_owned(),
        format!("Calls to the {outside} that stay open"),
    )
    .query::<OpenFor>()
    .answers::<OpenCalls<P>>("at most 100 of them")
    .of_any_problem();
    let settlement = Described::new(
        many,
        format!("settle_{one}"),
        "Say what became of a call".to_owned(),
    )
    .text(&format!(
        "For a call that the {outside} refuses for good, or answers with nothing that can be used. The \
         {one} goes on as if the {outside} had said so; who said it and why is kept for good."
    ))
    .key(P::State::TABLE.key)
    .takes::<P::NewSettlement>()
    .answers::<P::View>(&format!("the {one} as it is now"))
    .refuses("404", absent)
    .refuses("409", &format!("the {one} does not wait for this outcome"))
    .refuses("422", "`field` cannot be accepted")
    .of_any_problem();
    show::tagged::<P>()
        .routes(open.at(HttpMethod::Get, "/open-calls", get(open_calls::<P>)))
        .routes(settlement.at(HttpMethod::Post, &show::path::<P>("/settle"), post(settle::<P>)))
        .with_state(handle)
}

async fn open_calls<P: Settles>(
    State(handle): State<Handle<P>>,
    Query(longer_than): Query<OpenFor>,
) -> Result<Json<OpenCalls<P>>, Problem> {
    let found = handle.open_calls(&longer_than).await;
    let found = found.map_err(|failure| show::unavailable::<P>(&failure))?;
    let stuck = found.into_iter().map(|open| StuckCall {
        key: open.key,
        step: P::step(&open.call),
        asked_at: open.asked_at,
    });
    Ok(Json(OpenCalls { open_calls: stuck.collect() }))
}

async fn settle<P: Settles>(
    State(handle): State<Handle<P>>,
    Path(id): Path<Uuid>,
    Json(settlement): Json<P::NewSettlement>,
) -> Result<Json<P::View>, Problem> {
    let (input, settlement) = P::check(settlement)?;
    let settlement = Arc::new(settlement);
    let (key, settled) = (id.into(), Some(Arc::clone(&settlement)));
    match handle.submit(Addressed { key, input, settled }).await? {
        Reply::Settled => {
            let (outside, Settlement { by, reason }) = (P::OUTSIDE, &*settlement);
            tracing::warn!(key = %id, by, reason, "a call to the {outside} was settled by hand");
        }
        // There is no such row; looking it up says so.
        Reply::NotAwaited(state) if state == P::State::default() => {}
        Reply::NotAwaited(_) => {
            let Resource { one, many, .. } = P::RESOURCE;
            let title = format!("the {one} does not wait for this outcome");
            let look =
                format!("GET /{many}/{id} on the public port says which call is open, if any");
            return Err(Problem::conflict("not_awaited", title, look));
        }
        Reply::Noted => unreachable!("a settlement is answered as one"),
    }
    show::look(&handle, id).await.map(Json)
}

/// Calls whose outcome is not known, the oldest first.
#[derive(serde::Serialize)]
#[serde(bound = "")]
struct OpenCalls<P: Settles> {
    open_calls: Vec<StuckCall<P>>,
}

/// A call whose outcome has not been known for a while. The key has the name that it has in the table.
struct StuckCall<P: Settles> {
    key: Uuid,
    step: P::Step,
    /// Since when the outcome is waited for, or before.
    asked_at: DateTime<Utc>,
}

impl<P: Settles> Serialize for StuckCall<P> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut call = serializer.serialize_map(Some(3))?;
        call.serialize_entry(P::State::TABLE.key, &self.key)?;
        call.serialize_entry("step", &self.step)?;
        call.serialize_entry("asked_at", &self.asked_at)?;
        call.end()
    }
}

impl<P: Settles> PartialSchema for OpenCalls<P> {
    fn schema() -> RefOr<Schema> {
        let asked_at =
            described::time().description(Some("Since when the outcome is waited for, or before."));
        let call = ObjectBuilder::new()
            .description(Some("A call whose outcome has not been known for a while."))
            .property(P::State::TABLE.key, described::uuid())
            .property("step", Ref::from_schema_name(P::Step::name()))
            .property("asked_at", asked_at)
            .required(P::State::TABLE.key)
            .required("step")
            .required("asked_at");
        ObjectBuilder::new()
            .description(Some("Calls whose outcome is not known, the oldest first."))
            .property("open_calls", ArrayBuilder::new().items(RefOr::<Schema>::from(call)))
            .required("open_calls")
            .into()
    }
}

impl<P: Settles> ToSchema for OpenCalls<P> {
    fn name() -> Cow<'static, str> {
        "OpenCalls".into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((P::Step::name().into(), P::Step::schema()));
        P::Step::schemas(schemas);
    }
}
