//! Errors over HTTP as problem details (RFC 9457). What every service has to say in the same words is
//! here: programs tell problems apart by their codes.

use std::borrow::Cow;
use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

/// A problem document. `code` is stable and meant for programs, `title` and `detail` are for people,
/// `field` names what in the request is wrong.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Problem {
    /// Always `about:blank`: the status and `code` say what kind of problem it is.
    #[serde(rename = "type")]
    kind: &'static str,
    title: Cow<'static, str>,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    detail: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    field: Option<String>,
    #[serde(skip)]
    retry_after: Option<Duration>,
}

impl Problem {
    /// A problem with its status and a short title.
    pub fn new(status: StatusCode, title: impl Into<Cow<'static, str>>) -> Self {
        Problem {
            kind: "about:blank",
            title: title.into(),
            status: status.as_u16(),
            code: None,
            detail: None,
            field: None,
            retry_after: None,
        }
    }

    /// A field of the body cannot be accepted.
    pub fn invalid_field(field: impl Into<String>, detail: impl Into<String>) -> Self {
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "a field is invalid")
            .code("invalid_field")
            .field(field)
            .detail(detail)
    }

    /// A parameter of the query cannot be accepted.
    pub fn invalid_query(parameter: impl Into<String>, detail: impl Into<String>) -> Self {
        Problem::new(StatusCode::BAD_REQUEST, "a query parameter is wrong")
            .code("invalid_query")
            .field(parameter)
            .detail(detail)
    }

    /// The parameter `cursor` is not one that a page gave.
    pub fn invalid_cursor() -> Self {
        Problem::invalid_query("cursor", "must be next_cursor of the page before")
    }

    /// A header cannot be accepted.
    pub fn invalid_header(name: impl Into<String>, detail: impl Into<String>) -> Self {
        Problem::new(StatusCode::BAD_REQUEST, "a header is wrong")
            .code("invalid_header")
            .field(name)
            .detail(detail)
    }

    /// There is no such thing; the code says what, such as `order_not_found`.
    pub fn not_found(
        code: &'static str,
        title: impl Into<Cow<'static, str>>,
        detail: impl Into<String>,
    ) -> Self {
        Problem::new(StatusCode::NOT_FOUND, title).code(code).detail(detail)
    }

    /// The state of a thing does not allow what is asked; the code says which state.
    pub fn conflict(
        code: &'static str,
        title: impl Into<Cow<'static, str>>,
        detail: impl Into<String>,
    ) -> Self {
        Problem::new(StatusCode::CONFLICT, title).code(code).detail(detail)
    }

    /// The service cannot do this now and may in a moment.
    pub fn unavailable(detail: impl Into<String>) -> Self {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "the service cannot do this now")
            .code("unavailable")
            .detail(detail)
            .retry_after(Duration::from_secs(1))
    }

    /// The database takes longer than the caller may wait.
    pub(crate) fn not_read_in_time() -> Self {
        Problem::unavailable("it could not be read in time")
    }

    /// What was asked for may still be carried out, or already is; the detail says how to find out.
    pub(crate) fn outcome_unknown(detail: impl Into<String>) -> Self {
        Problem::unavailable(detail).code("outcome_unknown")
    }

    /// A stable word for programs.
    pub fn code(mut self, code: &'static str) -> Self {
        self.code = Some(code);
        self
    }

    /// What is wrong in this case, and what to do.
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// The field of the request that is wrong, such as `lines[3].quantity`; empty for all of it.
    pub fn field(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into()).filter(|field| !field.is_empty());
        self
    }

    /// When it is worth trying again; rounded up to whole seconds.
    pub fn retry_after(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }

    /// The status of the answer.
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).expect("made from a status code")
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self).expect("a problem is plain data");
        let kind = HeaderValue::from_static("application/problem+json");
        let mut response = (self.status(), [(header::CONTENT_TYPE, kind)], body).into_response();
        if let Some(after) = self.retry_after {
            let seconds = HeaderValue::from(after.as_millis().div_ceil(1000) as u64);
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        response
    }
}
