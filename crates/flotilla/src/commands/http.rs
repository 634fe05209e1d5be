//! Calls to the services. Those of a local fleet speak plain HTTP, and are called by a client that
//! knows nothing else: a client with TLS first reads all of the machine's certificates, which takes
//! longer than the call.

use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Body, Method, Request, Response, StatusCode, Url};
use serde_json::Value;
use tokio::time::timeout;

use super::IS_IT_UP;
use crate::exit::{Exit, coded};
use crate::output::visible;

/// How long an answer may take; longer than the longest `wait`.
const TIMEOUT: Duration = Duration::from_secs(70);
/// How long a service's machine may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Calls services.
pub(crate) struct Http {
    plain: Client<HttpConnector, Body>,
    secure: OnceLock<reqwest::Client>,
}

impl Http {
    pub(crate) fn new() -> Self {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
        connector.set_nodelay(true);
        let plain = Client::builder(TokioExecutor::new()).build(connector);
        Http { plain, secure: OnceLock::new() }
    }

    /// The body of the answer; a problem becomes an error that says what it said.
    pub(crate) async fn ask(&self, call: Call) -> Result<Value> {
        let url = call.0.url().clone();
        let whole = async { body(self.send(call).await?).await };
        timeout(TIMEOUT, whole).await.unwrap_or_else(|_elapsed| {
            let late = anyhow!("no answer from {url} within {} s; {IS_IT_UP}", TIMEOUT.as_secs());
            Err(coded(Exit::Away, late))
        })
    }

    /// The beginning of the answer, whatever it says.
    pub(crate) async fn send(&self, Call(request): Call) -> Result<Response> {
        let url = request.url().clone();
        let away =
            |why: String| coded(Exit::Away, anyhow!("no answer from {url}: {why}; {IS_IT_UP}"));
        if url.scheme() == "https" {
            let sent = self.secure()?.execute(request).await;
            return sent.map_err(|error| away(cause(&error.without_url())));
        }
        let request = request.try_into().with_context(|| format!("{url} cannot be called"))?;
        let response = self.plain.request(request).await.map_err(|error| away(cause(&error)))?;
        Ok(response.map(Body::wrap).into())
    }

    fn secure(&self) -> Result<&reqwest::Client> {
        if self.secure.get().is_none() {
            let client = reqwest::Client::builder().no_proxy().connect_timeout(CONNECT_TIMEOUT);
            self.secure.set(client.build()?).ok();
        }
        self.secure.get().context("there is a client")
    }
}

/// A request to a service.
pub(crate) struct Call(Request);

impl Call {
    pub(crate) fn get(base: &str, path: &[&str]) -> Result<Self> {
        Call::new(Method::GET, base, path)
    }

    pub(crate) fn post(base: &str, path: &[&str]) -> Result<Self> {
        Call::new(Method::POST, base, path)
    }

    pub(crate) fn put(base: &str, path: &[&str]) -> Result<Self> {
        Call::new(Method::PUT, base, path)
    }

    /// Each part of the path is encoded: whatever an item is called, no other one is addressed.
    fn new(method: Method, base: &str, path: &[&str]) -> Result<Self> {
        let mut url: Url = base.parse().with_context(|| format!("{base} is no address"))?;
        if let Some(part) = path.iter().find(|part| ["", ".", ".."].contains(*part)) {
            bail!("'{part}' cannot be part of an address: to every client it means another one");
        }
        let parts = url.path_segments_mut().map(|mut parts| {
            parts.pop_if_empty().extend(path);
        });
        parts.map_err(|()| anyhow!("{base} is no address of a service"))?;
        Ok(Call(Request::new(method, url)))
    }

    pub(crate) fn query(mut self, name: &str, value: impl ToString) -> Self {
        self.0.url_mut().query_pairs_mut().append_pair(name, &value.to_string());
        self
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Result<Self> {
        let fits = HeaderValue::from_str(value);
        let value = fits.with_context(|| format!("{value:?} cannot be sent as {name}"))?;
        self.0.headers_mut().insert(name, value);
        Ok(self)
    }

    pub(crate) fn json(mut self, body: &Value) -> Self {
        let json = HeaderValue::from_static("application/json");
        self.0.headers_mut().insert(CONTENT_TYPE, json);
        *self.0.body_mut() = Some(body.to_string().into());
        self
    }
}

/// The body of an answer; a problem becomes an error that says what it said.
pub(crate) async fn body(response: Response) -> Result<Value> {
    let status = response.status();
    let text = response.text().await.context("the answer was cut off")?;
    let body: Value = serde_json::from_str(&text).unwrap_or(Value::String(text));
    if status.is_success() {
        return Ok(body);
    }
    let part = |name: &str| body[name].as_str().map(|text| visible(text, &[]));
    let title = part("title").unwrap_or_else(|| status.to_string());
    let field = part("field").map(|field| format!(" ({field})")).unwrap_or_default();
    let error = match part("detail") {
        Some(detail) => anyhow!("{title}{field}: {detail}"),
        None => anyhow!("{title}{field}"),
    };
    Err(coded(exit_of(status), error))
}

/// The exit code of a problem.
fn exit_of(status: StatusCode) -> Exit {
    match status {
        StatusCode::NOT_FOUND => Exit::Missing,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => Exit::Away,
        status if status.is_client_error() => Exit::Refused,
        _trouble_of_the_service => Exit::Away,
    }
}

/// The innermost cause says what happened; those around it, that something did.
fn cause(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(cause) = innermost.source() {
        innermost = cause;
    }
    innermost.to_string()
}

#[cfg(test)]
mod tests {
    use super::Call;

    fn url(path: &[&str]) -> String {
        Call::get("http://shop:7404/eu/", path).unwrap().0.url().to_string()
    }

    #[test]
    fn whatever_an_item_is_called_no_other_address_is_meant() {
        assert_eq!(url(&["stock", "tea"]), "http://shop:7404/eu/stock/tea");
        assert_eq!(url(&["stock", "a#b"]), "http://shop:7404/eu/stock/a%23b");
        assert_eq!(url(&["stock", "a?b/c%d"]), "http://shop:7404/eu/stock/a%3Fb%2Fc%25d");
        assert_eq!(url(&["stock", "tea ü"]), "http://shop:7404/eu/stock/tea%20%C3%BC");
        for wrong in ["", ".", ".."] {
            assert!(Call::get("http://shop:7404", &["stock", wrong]).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_address_that_is_none_is_an_error() {
        assert!(Call::get("shop", &["stock"]).is_err());
        assert!(Call::get("mailto:shop", &["stock"]).is_err());
    }
}
