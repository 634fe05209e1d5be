//! Errors over HTTP as problem details (RFC 9457), and the extractors whose refusals are problems too.

use std::borrow::Cow;
use std::time::Duration;

use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts};
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
    code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
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

    /// The field of the request that is wrong, such as `lines[3].quantity`.
    pub fn field(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
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

/// `axum::Json`, refusing with a problem that names the field.
#[derive(Debug, Clone, Copy, FromRequest)]
#[from_request(via(axum::Json), rejection(Problem))]
pub struct Json<T>(pub T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

/// `axum::extract::Query`, refusing with a problem.
#[derive(Debug, Clone, Copy, FromRequestParts)]
#[from_request(via(axum::extract::Query), rejection(Problem))]
pub struct Query<T>(pub T);

/// `axum::extract::Path`, refusing with a problem.
#[derive(Debug, Clone, Copy, FromRequestParts)]
#[from_request(via(axum::extract::Path), rejection(Problem))]
pub struct Path<T>(pub T);

impl From<JsonRejection> for Problem {
    fn from(rejection: JsonRejection) -> Self {
        let detail = rejection.body_text();
        match rejection {
            JsonRejection::JsonSyntaxError(_) => {
                Problem::new(StatusCode::BAD_REQUEST, "the body is not valid JSON")
                    .code("malformed_json")
                    .detail(detail)
            }
            JsonRejection::JsonDataError(_) => {
                let problem =
                    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "the body has a wrong field")
                        .code("invalid_field");
                match field_of(&detail) {
                    Some(field) => problem.field(field).detail(detail),
                    None => problem.detail(detail),
                }
            }
            JsonRejection::MissingJsonContentType(_) => {
                Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "the body must be JSON")
                    .code("unsupported_media_type")
                    .detail("send Content-Type: application/json")
            }
            other => match other.status() {
                StatusCode::PAYLOAD_TOO_LARGE => {
                    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large")
                        .code("body_too_large")
                        .detail(format!(
                            "at most {} bytes are accepted",
                            crate::http::MAX_BODY_BYTES
                        ))
                }
                status => Problem::new(status, "the body could not be read").detail(detail),
            },
        }
    }
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        let detail = rejection.body_text();
        let problem = Problem::new(StatusCode::BAD_REQUEST, "a query parameter is wrong")
            .code("invalid_query");
        match field_of(&detail) {
            Some(field) => problem.field(field).detail(detail),
            None => problem.detail(detail),
        }
    }
}

impl From<PathRejection> for Problem {
    fn from(rejection: PathRejection) -> Self {
        Problem::new(StatusCode::BAD_REQUEST, "the path is wrong")
            .code("invalid_path")
            .detail(rejection.body_text())
    }
}

/// The field in a serde message: the path before the colon ("lines[3].quantity: invalid …"), or the
/// name in backquotes ("missing field `lines`").
fn field_of(detail: &str) -> Option<String> {
    let message = detail.split_once("target type: ").map_or(detail, |(_, message)| message);
    let message = message.split_once("query string: ").map_or(message, |(_, message)| message);
    if let Some((path, _)) = message.split_once(": ")
        && !path.is_empty()
        && !path.contains(' ')
    {
        return Some(path.to_owned());
    }
    let mut quoted = message.split('`');
    quoted.next().filter(|before| before.contains("field"))?;
    quoted.next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_serde_message_gives_up_the_field_it_is_about() {
        let prefix = "Failed to deserialize the JSON body into the target type: ";
        for (message, field) in [
            ("lines[3].quantity: invalid type: string", Some("lines[3].quantity")),
            ("missing field `lines` at line 1", Some("lines")),
            ("unknown field `price`, expected one of `sku`", Some("price")),
            ("invalid type: map, expected a string at line 1", None),
        ] {
            assert_eq!(field_of(&format!("{prefix}{message}")).as_deref(), field, "{message}");
        }
    }
}
