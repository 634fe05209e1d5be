//! A simulator on a free port, and a client that speaks its conventions.

use std::sync::Arc;
use std::time::Duration;

use reqwest::{Method, StatusCode};
use sandbox::conduct::{Change, Conduct, Settings};
use sandbox::simulator::Simulator;
use serde_json::Value;
use tokio::net::TcpListener;
use uuid::Uuid;

/// Long for this machine, so that a hang fails a test and a slow machine does not.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Clone)]
pub(crate) struct Client {
    base: String,
    http: reqwest::Client,
}

#[derive(Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) replayed: bool,
    pub(crate) retry_after: bool,
    pub(crate) body: Value,
}

/// A simulator with settings, which ends with the test.
pub(crate) async fn simulator(change: Change) -> Client {
    let settings = Settings::default().changed(change).unwrap();
    serve(Simulator::in_memory(Conduct::new(settings, 42))).await
}

/// A simulator that behaves.
pub(crate) async fn well_behaved() -> Client {
    simulator(Change::default()).await
}

pub(crate) async fn serve(simulator: Arc<Simulator>) -> Client {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let server = sandbox::http::serve(listener, simulator, std::future::pending());
    drop(tokio::spawn(server));
    Client::new(base)
}

impl Client {
    /// Where it asks.
    pub(crate) fn address(&self) -> &str {
        self.base.trim_start_matches("http://")
    }

    pub(crate) fn new(base: String) -> Self {
        let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        Self { base, http }
    }

    /// The same simulator for a caller that waits no longer than `patience`.
    pub(crate) fn impatient(&self, patience: Duration) -> Self {
        let http = reqwest::Client::builder().no_proxy().timeout(patience).build().unwrap();
        Self { base: self.base.clone(), http }
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let url = format!("{}{path}", self.base);
        self.http.request(method, url).bearer_auth("sk_test_flotilla")
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        send(self.request(Method::GET, path)).await.unwrap()
    }

    /// A form-encoded call under an idempotency key.
    pub(crate) async fn post(&self, path: &str, key: &str, form: &str) -> Answer {
        self.try_post(path, key, form).await.unwrap()
    }

    pub(crate) async fn try_post(
        &self,
        path: &str,
        key: &str,
        form: &str,
    ) -> reqwest::Result<Answer> {
        let request = self
            .request(Method::POST, path)
            .header("idempotency-key", key)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form.to_owned());
        send(request).await
    }

    /// Authorizes an amount in euros.
    pub(crate) async fn authorize(&self, order: Uuid, token: &str, minor: i64) -> Answer {
        let form = authorization(order, token, minor);
        self.post("/v1/payment_intents", &format!("{order}-authorize"), &form).await
    }

    pub(crate) async fn capture(&self, order: Uuid) -> Answer {
        let path = format!("/v1/payment_intents/{}/capture", intent(order));
        self.post(&path, &format!("{order}-capture"), "").await
    }

    pub(crate) async fn book(&self, order: Uuid, destination: &str) -> Answer {
        self.try_book(order, destination).await.unwrap()
    }

    pub(crate) async fn try_book(&self, order: Uuid, to: &str) -> reqwest::Result<Answer> {
        let body = serde_json::json!({ "destination": to });
        send(self.request(Method::PUT, &format!("/v1/shipments/{order}")).json(&body)).await
    }

    pub(crate) async fn cancel_shipment(&self, order: Uuid) -> Answer {
        let path = format!("/v1/shipments/{order}/cancel");
        send(self.request(Method::POST, &path)).await.unwrap()
    }

    pub(crate) async fn control(&self, change: &Value) -> Answer {
        send(self.request(Method::POST, "/control").json(change)).await.unwrap()
    }
}

pub(crate) async fn send(request: reqwest::RequestBuilder) -> reqwest::Result<Answer> {
    let response = request.send().await?;
    let status = response.status();
    let replayed = response.headers().contains_key("idempotent-replayed");
    let retry_after = response.headers().contains_key("retry-after");
    Ok(Answer { status, replayed, retry_after, body: response.json().await? })
}

pub(crate) fn authorization(order: Uuid, token: &str, minor: i64) -> String {
    format!(
        "amount={minor}&currency=eur&payment_method={token}&capture_method=manual&confirm=true\
         &metadata%5Border_id%5D={order}"
    )
}

pub(crate) fn intent(order: Uuid) -> String {
    format!("pi_{}", order.simple())
}

impl Answer {
    pub(crate) fn error(&self, field: &str) -> &str {
        self.body["error"][field].as_str().unwrap_or("")
    }
}
