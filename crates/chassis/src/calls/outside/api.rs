//! Calls of an API over HTTP: a client that gives its key to nobody else, and what an answer means:
//! done, refused for good, or no answer at all. Everything that could have another outcome the next time
//! is no answer.

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue, InvalidHeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Method, RequestBuilder, Response, StatusCode, Url};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

use super::plain;
use crate::service::Unanswered;

/// A connection takes a round trip or three: anybody who needs longer is not there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Far more than any code of an API has.
const CODE_CHARACTERS_MAX: usize = 100;
/// Far more than any answer has. A sender of more is not the API.
const BODY_BYTES_MAX: usize = 256 * 1024;

/// Why there can be no client.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// It has a character that no key has.
    #[error("the key has characters that a header cannot hold")]
    Key(#[source] InvalidHeaderValue),
    /// A problem with TLS, most likely.
    #[error("no HTTP client can be made")]
    Client(#[source] reqwest::Error),
}

/// An answer that says nothing about the outcome.
#[derive(Debug, thiserror::Error)]
enum Unclear {
    #[error("the answer is {0}")]
    Status(StatusCode),
    #[error("the answer is {0} with a body that cannot be read")]
    Body(StatusCode, #[source] serde_json::Error),
    #[error("the answer has more than {BODY_BYTES_MAX} bytes")]
    TooLarge,
}

/// An answer that will be the same the next time.
#[derive(Debug)]
pub enum Answer<T, E> {
    /// A success.
    Done(T),
    /// An error in the API's own form: `{"error": …}`.
    Refused {
        /// A client error.
        status: StatusCode,
        /// What it says about itself.
        error: E,
    },
}

/// A client of one API.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
}

impl Client {
    /// A client of the API at `base`, which is used with `key`; each call is given up after `timeout`.
    pub fn new(base: Url, key: &str, timeout: Duration) -> Result<Self, Unusable> {
        let mut bearer = HeaderValue::try_from(format!("Bearer {key}")).map_err(Unusable::Key)?;
        bearer.set_sensitive(true);
        let mut builder = reqwest::Client::builder()
            .default_headers(HeaderMap::from_iter([(AUTHORIZATION, bearer)]))
            .connect_timeout(CONNECT_TIMEOUT.min(timeout))
            .timeout(timeout)
            // Somebody who answers in the API's place must not learn the key by redirecting us.
            .redirect(Policy::none());
        if matches!(base.host_str(), Some("localhost" | "127.0.0.1" | "[::1]")) {
            // A proxy for the outside world does not know our own machine.
            builder = builder.no_proxy();
        }
        Ok(Client { http: builder.build().map_err(Unusable::Client)?, base })
    }

    /// A request for what is at `path` below the base. A segment stays one segment, whatever it holds.
    pub fn request(&self, method: Method, path: &[&str]) -> RequestBuilder {
        self.http.request(method, self.url(path))
    }

    /// A question about it, which has no effect.
    pub fn get(&self, path: &[&str], query: &[(&str, &str)]) -> RequestBuilder {
        let mut url = self.url(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        self.http.get(url)
    }

    fn url(&self, path: &[&str]) -> Url {
        let mut url = self.base.clone();
        url.path_segments_mut().expect("an http URL has a path").pop_if_empty().extend(path);
        url
    }
}

/// What most APIs say in `error` about a call that they refuse: codes only, as a message may repeat what was sent.
#[derive(Debug, Deserialize)]
pub struct Codes {
    #[serde(rename = "type", default, deserialize_with = "code")]
    kind: Option<String>,
    #[serde(default, deserialize_with = "code")]
    code: Option<String>,
}

/// A call is refused, for the reason in [`Codes`].
#[derive(Debug, thiserror::Error)]
#[error("the answer is {status} (type {kind:?}, code {code:?})", kind = self.codes.kind, code = self.codes.code)]
pub struct Refusal {
    /// A client error.
    pub status: StatusCode,
    /// What it says about itself.
    pub codes: Codes,
}

/// Sends a request. The URL is kept out of errors, as it may hold something private.
pub async fn send(request: RequestBuilder) -> Result<Response, Unanswered> {
    request.send().await.map_err(|error| Unanswered::new(error.without_url()))
}

/// No outcome, because of an answer's status.
pub fn unclear(status: StatusCode) -> Unanswered {
    Unanswered::new(Unclear::Status(status))
}

/// Reads the answer to a call.
pub async fn read<T, E>(response: Response) -> Result<Answer<T, E>, Unanswered>
where
    T: DeserializeOwned,
    E: DeserializeOwned,
{
    let status = response.status();
    if !is_refusal(status) {
        return read_found(response).await.map(Answer::Done);
    }
    #[derive(Deserialize)]
    struct Envelope<E> {
        error: E,
    }
    // A refusal that is not in the API's own form comes from something between it and us.
    let Envelope { error } = json(response).await?;
    Ok(Answer::Refused { status, error })
}

/// Reads the answer to a question, which has no effect: anything but a success is no answer.
pub async fn read_found<T: DeserializeOwned>(response: Response) -> Result<T, Unanswered> {
    match response.status() {
        status if status.is_success() => json(response).await,
        status => Err(unclear(status)),
    }
}

/// Not if it is in progress or if there are too many: it may still be carried out.
fn is_refusal(status: StatusCode) -> bool {
    status.is_client_error()
        && status != StatusCode::REQUEST_TIMEOUT
        && status != StatusCode::CONFLICT
        && status != StatusCode::TOO_MANY_REQUESTS
}

async fn json<T: DeserializeOwned>(mut response: Response) -> Result<T, Unanswered> {
    let (status, mut body) = (response.status(), Vec::new());
    while let Some(chunk) =
        response.chunk().await.map_err(|error| Unanswered::new(error.without_url()))?
    {
        if body.len() + chunk.len() > BODY_BYTES_MAX {
            return Err(Unanswered::new(Unclear::TooLarge));
        }
        body.extend_from_slice(&chunk);
    }
    serde_json::from_slice(&body).map_err(|error| Unanswered::new(Unclear::Body(status, error)))
}

/// Deserializes a code of an API, for logs: whatever it holds, a line stays a line.
pub fn code<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    Ok(text.map(|text| plain(&text, CODE_CHARACTERS_MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_error_is_a_refusal_unless_it_says_that_it_may_be_carried_out_yet() {
        let refusals: Vec<u16> = (100..600)
            .filter(|status| is_refusal(StatusCode::from_u16(*status).unwrap()))
            .collect();
        assert_eq!((refusals.first(), refusals.last()), (Some(&400), Some(&499)));
        assert!([408, 409, 429].iter().all(|status| !refusals.contains(status)));
        assert_eq!(refusals.len(), 97);
    }
}
