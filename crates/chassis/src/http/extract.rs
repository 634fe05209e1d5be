//! What routes take from a request, refused with problems that name what is wrong: the body, the query,
//! the path. One convention for all services, as clients meet all of them.

mod key;
mod objects;
mod page;

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::path::ErrorKind;
use axum::extract::rejection::{BytesRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, MatchedPath, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::http::MAX_BODY_BYTES;
use crate::http::problem::Problem;
pub use key::{IDEMPOTENCY_KEY, IdempotencyKey};
use objects::Objects;
pub use page::{Limit, Page};

/// A JSON body, with an object in every place where the document says so.
#[derive(Debug, Clone, Copy)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        check_headers(request.headers())?;
        // It is complete: the gate waits for it before it lets a request in.
        let body = Bytes::from_request(request, state).await.map_err(unread)?;
        parse(&body).map(Json)
    }
}

/// A whole body, which must arrive in time.
pub(crate) async fn whole(
    body: impl Future<Output = Result<Bytes, BytesRejection>>,
    patience: Duration,
) -> Result<Bytes, Problem> {
    let body = tokio::time::timeout(patience, body).await.map_err(|_elapsed| {
        Problem::new(StatusCode::REQUEST_TIMEOUT, "the body did not come in time")
            .code("body_too_slow")
            .detail(format!("at most {} s are waited for it", patience.as_secs()))
    })?;
    body.map_err(unread)
}

fn unread(rejection: BytesRejection) -> Problem {
    match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large")
                .code("body_too_large")
                .detail(format!("at most {MAX_BODY_BYTES} bytes are accepted"))
        }
        _cut_short => Problem::new(StatusCode::BAD_REQUEST, "the body could not be read")
            .code("malformed_body")
            .detail(rejection.body_text()),
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

fn check_headers(headers: &HeaderMap) -> Result<(), Problem> {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or("unreadable"));
    let unsupported = |title| Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, title);
    let kind = text(header::CONTENT_TYPE).unwrap_or("missing");
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if kind != "application/json" && !(kind.starts_with("application/") && kind.ends_with("+json"))
    {
        return Err(unsupported("the body must be JSON")
            .code("unsupported_media_type")
            .field("Content-Type")
            .detail("send Content-Type: application/json"));
    }
    match text(header::CONTENT_ENCODING) {
        None | Some("identity") => Ok(()),
        Some(_compressed) => Err(unsupported("the body must not be compressed")
            .code("unsupported_encoding")
            .field("Content-Encoding")
            .detail("send the body as it is, without Content-Encoding")),
    }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let parsed = serde_path_to_error::deserialize(Objects(&mut json));
    let parsed = parsed.map_err(|error| (error.path().to_string(), error.into_inner()));
    let parsed = parsed.and_then(|value| match json.end() {
        Ok(()) => Ok(value),
        Err(error) => Err((String::new(), error)),
    });
    parsed.map_err(|(path, error)| {
        if !error.is_data() {
            return Problem::new(StatusCode::BAD_REQUEST, "the body is not valid JSON")
                .code("malformed_json")
                .detail(error.to_string());
        }
        let message = error.to_string();
        let field = field_of(&path, &message);
        Problem::invalid_field(field, message)
    })
}

/// The field that serde complains about: where it was, and the name that its message gives to what is
/// missing, unknown or duplicated there.
fn field_of(path: &str, message: &str) -> String {
    let path = if path == "." { "" } else { path };
    let mut quoted = message.split('`');
    let names = quoted.next().is_some_and(|before| before.ends_with("field "));
    match quoted.next().filter(|name| names && !path.ends_with(name)) {
        Some(name) if path.is_empty() => name.to_owned(),
        Some(name) => format!("{path}.{name}"),
        None => path.to_owned(),
    }
}

/// The parameters of the query.
#[derive(Debug, Clone, Copy, FromRequestParts)]
#[from_request(via(axum::extract::Query), rejection(Problem))]
pub struct Query<T>(pub T);

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        let text = rejection.body_text();
        let message = text.split_once("query string: ").map_or(text.as_str(), |(_, text)| text);
        let (path, message) = match message.split_once(": ") {
            Some((path, rest)) if !path.contains(' ') => (path, rest),
            Some(_) | None => ("", message),
        };
        Problem::invalid_query(field_of(path, message), message)
    }
}

/// The values of the route's parameters in the path.
#[derive(Debug, Clone, Copy)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = axum::extract::Path::from_request_parts(parts, state).await;
        path.map(|axum::extract::Path(value)| Path(value)).map_err(|rejection| {
            let message = rejection.body_text();
            let message = message.strip_prefix("Invalid URL: ").unwrap_or(&message).to_owned();
            let problem = Problem::new(StatusCode::BAD_REQUEST, "the path is wrong")
                .code("invalid_path")
                .detail(message);
            match parameter(rejection, parts) {
                Some(name) => problem.field(name),
                None => problem,
            }
        })
    }
}

/// The parameter that a rejection is about. Axum names it if a route has several.
fn parameter(rejection: PathRejection, parts: &Parts) -> Option<String> {
    let PathRejection::FailedToDeserializePathParams(failed) = rejection else { return None };
    match failed.into_kind() {
        ErrorKind::ParseErrorAtKey { key, .. }
        | ErrorKind::InvalidUtf8InPathParam { key }
        | ErrorKind::DeserializeError { key, .. } => Some(key),
        _of_the_only_one => {
            let route = parts.extensions.get::<MatchedPath>()?.as_str();
            let (_, rest) = route.split_once('{')?;
            rest.split_once('}').map(|(name, _)| name.to_owned())
        }
    }
}

#[cfg(test)]
mod tests;
