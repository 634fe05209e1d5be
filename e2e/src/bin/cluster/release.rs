//! The chart as it is installed here: its values, the Secrets that it names, and what is asked of the services.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use local::SERVICES;
use serde_json::{Value, json};

use crate::node::{Node, said, until};
use crate::outside::{HOST, Outside};

/// The namespace, which enforces the restricted Pod Security Standard.
pub(crate) const NAMESPACE: &str = "shop";
/// The name of the release.
pub(crate) const NAME: &str = "flotilla";
/// Where orders are placed.
pub(crate) const ORDERS: &str = "http://flotilla-order.shop:8080/orders";
/// The chart.
const CHART: &str = "helm/flotilla";
/// How long anything may take that pods have to start for.
const PATIENCE: Duration = Duration::from_secs(180);

/// A release that is installed, or going to be.
pub(crate) struct Release {
    /// The item that is ordered.
    pub(crate) sku: String,
    values: Value,
}

impl Release {
    /// What the chart needs: a namespace with the Secrets, and values that say where the servers are.
    pub(crate) async fn new(node: &Node, outside: &Outside) -> Result<Self> {
        let labels = json!({ "pod-security.kubernetes.io/enforce": "restricted" });
        let metadata = json!({ "name": NAMESPACE, "labels": labels });
        node.apply(
            &json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": metadata }).to_string(),
        )?;
        for service in SERVICES {
            let [app, owner] = outside.database(service).await?;
            database_secret(node, &format!("{service}-database"), &app)?;
            database_secret(node, &format!("{service}-database-owner"), &owner)?;
        }
        secret(node, "payment-provider", "Opaque", json!({ "key": "sk_test_local" }))?;
        secret(node, "carrier", "Opaque", json!({ "key": "sk_test_local" }))?;
        Ok(Release { sku: "tea".to_owned(), values: values(outside) })
    }

    /// `helm install` or `helm upgrade` with the values of `ci/dev-values.yaml`, those of this run, and more.
    pub(crate) fn helm(&self, node: &Node, verb: &str, more: &[&str]) -> Result<String> {
        let file = node.file("values.json", &self.values.to_string())?;
        let dev = format!("{CHART}/ci/dev-values.yaml");
        let args =
            [verb, NAME, CHART, "--namespace", NAMESPACE, "--values", &dev, "--values", &file];
        node.helm(&[&args, more].concat())
    }

    /// The pods of a component that are not on their way out.
    pub(crate) fn pods(&self, node: &Node, component: &str) -> Result<Vec<Value>> {
        let selector = format!("app.kubernetes.io/component={component}");
        let found = node.object(&["pods", "--namespace", NAMESPACE, "--selector", &selector])?;
        let pods = found["items"].as_array().cloned().unwrap_or_default();
        Ok(pods.into_iter().filter(|pod| pod["metadata"]["deletionTimestamp"].is_null()).collect())
    }

    /// Waits until every service has this many pods, all of them ready, and no others.
    pub(crate) fn settled(&self, node: &Node, replicas: usize) -> Result<()> {
        until(&format!("{replicas} ready pods of every service"), PATIENCE, || {
            for service in SERVICES {
                let pods = self.pods(node, service)?;
                if pods.len() != replicas || !pods.iter().all(is_ready) {
                    return Ok(None);
                }
            }
            Ok(Some(()))
        })
    }

    /// Waits until the deployments are as they were asked to be.
    pub(crate) fn rolled_out(&self, node: &Node) -> Result<()> {
        let instance = format!("app.kubernetes.io/instance={NAME}");
        let wait =
            ["rollout", "status", "deployment", "--namespace", NAMESPACE, "--timeout", "180s"];
        node.kubectl(&[&wait[..], &["--selector", &instance]].concat())?;
        Ok(())
    }

    /// Has the item for sale, with more units than any load orders.
    pub(crate) fn stock(&self, node: &Node) -> Result<()> {
        let item = format!("http://flotilla-inventory.{NAMESPACE}:8080/stock/{}", self.sku);
        let listing = json!({ "name": "Tea", "unit_price_minor": 1290, "currency": "EUR" });
        ask(node, &["--request", "PUT", "--json", &listing.to_string(), &item])?;
        let key = format!("Idempotency-Key: {}", uuid::Uuid::new_v4());
        let delivery = json!({ "delta": 1_000_000, "note": "" }).to_string();
        ask(node, &["--header", &key, "--json", &delivery, &format!("{item}/adjustments")])?;
        // Order refuses what it has not heard the price of.
        until("order to know the item", PATIENCE, || Ok(self.place(node, "AQ").ok()))?;
        Ok(())
    }

    /// The same for a reader of the guide, whose databases the operator makes: small ones, of two servers each.
    pub(crate) fn values_on_databases_in_the_cluster(&self, postgres: &str) -> Value {
        let mut values = self.values.clone();
        values["image"]["registry"] = json!("localhost");
        values["topics"] = json!({ "replication": 1 });
        let resources = json!({ "requests": { "cpu": "50m", "memory": "128Mi" } });
        values["cloudnativepg"] = json!({
            "enabled": true,
            "instances": 2,
            "storage": "1Gi",
            "imageName": postgres,
            "resources": resources,
        });
        for service in SERVICES {
            values["services"][service]["database"] = json!({ "ports": [5432] });
        }
        values
    }

    /// Places an order and waits for its end, which must be this state.
    pub(crate) fn order_ends(&self, node: &Node, destination: &str, state: &str) -> Result<Value> {
        let ended = self.place(node, destination)?;
        ensure!(ended["state"] == state, "{ended}");
        Ok(ended)
    }

    /// Places an order and waits for its end.
    fn place(&self, node: &Node, destination: &str) -> Result<Value> {
        let body = e2e::shop::order_of(&[(&self.sku, 1)], destination, "tok_visa");
        let key = format!("Idempotency-Key: {}", uuid::Uuid::new_v4());
        let url = format!("{ORDERS}?wait=terminal");
        ask(node, &["--header", &key, "--json", &body.to_string(), &url])
    }
}

/// Asks by `curl` on the node's network; a refusal is an error.
pub(crate) fn ask(node: &Node, args: &[&str]) -> Result<Value> {
    let curl = ["curl", "--silent", "--show-error", "--fail-with-body", "--max-time", "60"];
    let body = said(&mut node.on_network(curl.iter().chain(args)))?;
    serde_json::from_str(&body).with_context(|| format!("no JSON: {body}"))
}

/// Waits until every pod of the services has this version. A pod of another one that is on its way out may still decide
/// about an order.
pub(crate) fn runs(node: &Node, tag: &str) -> Result<()> {
    until(&format!("pods of {tag} and no others"), PATIENCE, || {
        let component = format!("app.kubernetes.io/component in ({})", SERVICES.join(","));
        let found = node.object(&["pods", "--namespace", NAMESPACE, "--selector", &component])?;
        let pods = found["items"].as_array().cloned().unwrap_or_default();
        let images = pods.iter().map(|pod| pod["spec"]["containers"][0]["image"].as_str());
        let have_it = images.flatten().filter(|image| image.ends_with(&format!(":{tag}"))).count();
        Ok((have_it == pods.len() && have_it >= SERVICES.len()).then_some(()))
    })
}

/// Whether a pod gets requests.
pub(crate) fn is_ready(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
    conditions.into_iter().any(|one| one["type"] == "Ready" && one["status"] == "True")
}

/// A role with its password, as operators of databases want it, and the URL that the service reads.
fn database_secret(node: &Node, name: &str, url: &str) -> Result<()> {
    let parts: reqwest::Url = url.parse()?;
    let password = parts.password().context("the URL has a password")?;
    let content = json!({ "username": parts.username(), "password": password, "url": url });
    secret(node, name, "kubernetes.io/basic-auth", content)
}

fn secret(node: &Node, name: &str, kind: &str, content: Value) -> Result<()> {
    let metadata = json!({ "name": name, "namespace": NAMESPACE });
    let mut secret = json!({ "apiVersion": "v1", "kind": "Secret", "metadata": metadata });
    secret["type"] = json!(kind);
    secret["stringData"] = content;
    node.apply(&secret.to_string())
}

/// Where everything is, on the ports that were free. NetworkPolicies have these ports from the addresses.
fn values(outside: &Outside) -> Value {
    let [kafka, registry, sandbox] =
        ["kafka-elsewhere", "registry", "sandbox"].map(|name| outside.port(name));
    let database =
        |service: &str| json!({ "ports": [outside.port(&format!("postgres-{service}"))] });
    let neighbour = format!("http://{HOST}:{sandbox}");
    json!({
        "image": { "tag": "" },
        "kafka": { "bootstrapServers": format!("{HOST}:{kafka}") },
        "registry": { "url": format!("http://{HOST}:{registry}/apis/ccompat/v7") },
        "services": {
            "order": { "database": database("order") },
            "payment": {
                "database": database("payment"),
                "settings": { "FLOTILLA_PROVIDER": neighbour },
            },
            "inventory": { "database": database("inventory") },
            "shipping": {
                "database": database("shipping"),
                "settings": { "FLOTILLA_CARRIER": neighbour },
            },
        },
    })
}
