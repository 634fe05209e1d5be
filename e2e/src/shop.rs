//! A shop for the tests: a fleet of this test program's own processes, and the few requests that its
//! stories consist of.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use flotilla::fleet::{Fleet, FleetSettings};
use local::testing::own_servers_with;
use local::{Lifetime, Settings, silent};
use reqwest::Client;
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use tokio::sync::OnceCell;
use uuid::Uuid;

/// How long a story may wait for anything. The machine may be busy with other tests.
pub const PATIENCE: Duration = Duration::from_secs(60);

static FLEET: OnceCell<Fleet> = OnceCell::const_new();
static SKUS: AtomicU32 = AtomicU32::new(0);

/// An answer: status and body.
pub type Answer = (u16, Value);

/// A shop on a fleet.
#[derive(Debug, Clone)]
pub struct Shop {
    /// The fleet.
    pub fleet: Fleet,
    http: Client,
}

impl Shop {
    /// Opens a shop on the fleet of this test program, which the first one starts, on servers of its own. Its orders
    /// are overdue later than any test waits.
    pub async fn open() -> Result<Self> {
        Shop::open_with(|_usual| ()).await
    }

    /// The same on a fleet whose settings are not the usual ones.
    pub async fn open_with(change: impl FnOnce(&mut Settings)) -> Result<Self> {
        let fleet = FLEET
            .get_or_try_init(async || {
                let servers = own_servers_with(change).await?;
                let settings = servers.environment().settings().clone();
                let mut settings = FleetSettings::new(settings, Lifetime::WithParent)?;
                let session = ("FLOTILLA_KAFKA_SESSION_TIMEOUT_MS", "6000");
                let log = ("FLOTILLA_LOG", "warn");
                let variables = [session, log].map(|(n, v)| (n.to_owned(), v.to_owned()));
                settings.variables.extend(variables);
                Fleet::start(settings, &silent).await
            })
            .await?;
        Shop::on(fleet.clone())
    }

    /// A shop on a fleet that runs already.
    pub fn on(fleet: Fleet) -> Result<Self> {
        let http = Client::builder().no_proxy().timeout(PATIENCE).build()?;
        Ok(Shop { fleet, http })
    }

    /// An item that no other story uses, with this many free units, known to the order service.
    pub async fn item(&self, units: i64) -> Result<String> {
        let number = SKUS.fetch_add(1, Relaxed);
        let sku = format!("item-{}-{number}", std::process::id());
        let item = json!({ "name": "An item", "unit_price_minor": 250, "currency": "EUR" });
        expect(201, self.put("inventory", &format!("/stock/{sku}"), &item).await?)?;
        if units > 0 {
            expect(200, self.adjust(&sku, units, &sku).await?)?;
        }
        // The catalogue reaches the order service over Kafka.
        self.wait(&format!("the price of {sku}"), async || self.charged(&sku).await).await?;
        Ok(sku)
    }

    /// What order charges for an item, in minor units; `None` until it has heard of it.
    pub async fn charged(&self, sku: &str) -> Result<Option<i64>> {
        let mut db = self.database("order").await?;
        let charged = sqlx::query_scalar("select unit_price_minor from prices where sku = $1");
        Ok(charged.bind(sku).fetch_optional(&mut db).await?)
    }

    /// A connection to a service's database, for what no service reports.
    pub async fn database(&self, service: &'static str) -> Result<PgConnection> {
        let url = self.fleet.environment().superuser_url(service)?;
        Ok(PgConnection::connect(&url).await?)
    }

    /// Lists an item at a price, at one of the replicas of inventory.
    pub async fn set_price(&self, inventory: &str, sku: &str, minor: i64) -> Result<Answer> {
        let item = json!({ "name": "An item", "unit_price_minor": minor, "currency": "EUR" });
        send(self.http.put(format!("{inventory}/stock/{sku}")).json(&item)).await
    }

    /// Adjusts an item.
    pub async fn adjust(&self, sku: &str, delta: i64, key: &str) -> Result<Answer> {
        let url = format!("{}/stock/{sku}/adjustments", self.fleet.url("inventory"));
        let body = json!({ "delta": delta, "note": "" });
        send(self.http.post(url).header("Idempotency-Key", key).json(&body)).await
    }

    /// Places an order that is accepted; returns its id.
    pub async fn place(
        &self,
        lines: &[(&str, i64)],
        destination: &str,
        token: &str,
    ) -> Result<Uuid> {
        let body = order_of(lines, destination, token);
        let placed = expect(201, self.place_with_key(&body, &Uuid::new_v4().to_string()).await?)?;
        id_of(&placed)
    }

    /// Sends an order under a key.
    pub async fn place_with_key(&self, body: &Value, key: &str) -> Result<Answer> {
        let url = format!("{}/orders", self.fleet.url("order"));
        send(self.http.post(url).header("Idempotency-Key", key).json(body)).await
    }

    /// The order as it is now.
    pub async fn order(&self, order: Uuid) -> Result<Value> {
        expect(200, self.get("order", &format!("/orders/{order}")).await?)
    }

    /// The order at its end, which must be this state.
    pub async fn ended(&self, order: Uuid, state: &str) -> Result<Value> {
        self.wait(&format!("{order} to be {state}"), async || {
            let found = self.order(order).await?;
            Ok((found["state"] == state).then_some(found))
        })
        .await
    }

    /// Waits until an event is in the order's history.
    pub async fn happened(&self, order: Uuid, event: &str) -> Result<()> {
        self.wait(&format!("{event} of {order}"), async || {
            Ok(history(&self.order(order).await?).iter().any(|name| name == event).then_some(()))
        })
        .await
    }

    /// Waits until everything that a service has committed is published. What its history shows need not
    /// be: a service killed at that moment publishes it only once it is back.
    pub async fn published(&self, service: &'static str) -> Result<()> {
        let mut db = self.database(service).await?;
        self.wait(&format!("{service} to publish"), async || {
            let done = sqlx::query_scalar("select published >= head from audit.outbox");
            let done: bool = done.fetch_one(&mut db).await?;
            Ok(done.then_some(()))
        })
        .await
    }

    /// Asks to cancel or return.
    pub async fn act(&self, order: Uuid, verb: &str) -> Result<Answer> {
        self.post("order", &format!("/orders/{order}/{verb}"), &Value::Null).await
    }

    /// Waits until a service says that it is ready for callers.
    pub async fn accepts(&self, service: &str) -> Result<()> {
        let url = format!("{}/readyz", self.fleet.admin_url(service));
        self.wait(&format!("{service} to be ready"), async || {
            Ok((self.http.get(&url).send().await?.status() == 200).then_some(()))
        })
        .await
    }

    /// The units of an item: free, reserved, shipped.
    pub async fn units(&self, sku: &str) -> Result<(i64, i64, i64)> {
        let item = expect(200, self.get("inventory", &format!("/stock/{sku}")).await?)?;
        let count = |name: &str| item[name].as_i64().unwrap_or(-1);
        Ok((count("free"), count("reserved"), count("shipped")))
    }

    /// Waits until an item's units are these.
    pub async fn wait_for_units(&self, sku: &str, units: (i64, i64, i64)) -> Result<()> {
        self.wait(&format!("{sku} to have {units:?}"), async || {
            Ok((self.units(sku).await? == units).then_some(()))
        })
        .await
    }

    /// A GET request to a service.
    pub async fn get(&self, service: &str, path: &str) -> Result<Answer> {
        send(self.http.get(format!("{}{path}", self.fleet.url(service)))).await
    }

    /// A POST request to a service.
    pub async fn post(&self, service: &str, path: &str, body: &Value) -> Result<Answer> {
        send(self.http.post(format!("{}{path}", self.fleet.url(service))).json(body)).await
    }

    /// A PUT request to a service.
    pub async fn put(&self, service: &str, path: &str, body: &Value) -> Result<Answer> {
        send(self.http.put(format!("{}{path}", self.fleet.url(service))).json(body)).await
    }

    /// A request of any kind, for what a well-behaved client would not send.
    pub fn request(
        &self,
        method: &str,
        service: &str,
        path: &str,
    ) -> Result<reqwest::RequestBuilder> {
        Ok(self.http.request(method.parse()?, format!("{}{path}", self.fleet.url(service))))
    }

    /// Repeats the question until there is an answer.
    pub async fn wait<T>(
        &self,
        what: &str,
        mut ask: impl AsyncFnMut() -> Result<Option<T>>,
    ) -> Result<T> {
        let started = Instant::now();
        loop {
            if let Some(found) = ask().await? {
                return Ok(found);
            }
            if started.elapsed() > PATIENCE {
                bail!("waited in vain for {what}");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// The body of an order.
pub fn order_of(lines: &[(&str, i64)], destination: &str, token: &str) -> Value {
    let lines: Vec<Value> =
        lines.iter().map(|(sku, quantity)| json!({ "sku": sku, "quantity": quantity })).collect();
    json!({ "customer_id": "tests", "lines": lines, "destination": destination,
            "payment_token": token })
}

/// The names of the events in an order's history.
pub fn history(order: &Value) -> Vec<String> {
    let entries = order["history"].as_array().into_iter().flatten();
    entries.map(|entry| entry["event"].as_str().unwrap_or_default().to_owned()).collect()
}

/// The id of an order.
pub fn id_of(order: &Value) -> Result<Uuid> {
    let id = order["order_id"].as_str().with_context(|| format!("no order: {order}"))?;
    Ok(id.parse()?)
}

/// The body of an answer that must have this status.
pub fn expect(status: u16, (found, body): Answer) -> Result<Value> {
    if found != status {
        bail!("expected {status}, got {found}: {body}");
    }
    Ok(body)
}

/// Sends a request.
pub async fn send(request: reqwest::RequestBuilder) -> Result<Answer> {
    let response = request.send().await?;
    let status = response.status().as_u16();
    let text = response.text().await?;
    Ok((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
}
