//! A Prometheus that reads the metrics of the fleet, every second, and judges the alerts as often.

use std::time::Duration;

use anyhow::{Context, Result};
use e2e::shop::{Shop, expect, send};
use local::{Lifetime, Process, ProcessSpec, Settings};
use serde_json::Value;

use crate::{installed, root};

/// How long it may take until it answers.
const READY: Duration = Duration::from_secs(30);
/// How long it may take to stop.
const STOP: Duration = Duration::from_secs(10);
/// In place of the minutes that an alert waits before it fires: what is to be seen is that it does.
const PATIENCE_OF_ALERTS: &str = "for: 1s";

pub(crate) struct Prometheus {
    process: Process,
    url: String,
    http: reqwest::Client,
}

impl Prometheus {
    pub(crate) async fn of(shop: &Shop) -> Self {
        let settings = shop.fleet.environment().settings();
        let folder = settings.root.join("prometheus");
        // What an earlier one has read is none of this one's concern.
        if folder.exists() {
            std::fs::remove_dir_all(&folder).unwrap();
        }
        std::fs::create_dir_all(&folder).unwrap();
        let rules = std::fs::read_to_string(root().join("observability/alerts.yaml")).unwrap();
        let hasty = |line: &str| match line.trim_start().starts_with("for: ") {
            true => format!("        {PATIENCE_OF_ALERTS}\n"),
            false => format!("{line}\n"),
        };
        std::fs::write(folder.join("alerts.yaml"), rules.lines().map(hasty).collect::<String>())
            .unwrap();
        let config = folder.join("prometheus.yaml");
        std::fs::write(&config, configuration(shop)).unwrap();
        let address = address(settings);
        let program = installed("prometheus").join("prometheus");
        let spec = ProcessSpec::new("prometheus", program).args([
            format!("--config.file={}", config.display()),
            format!("--storage.tsdb.path={}", folder.join("data").display()),
            format!("--web.listen-address={address}"),
        ]);
        let process = Process::start(settings, &spec, Lifetime::WithParent).unwrap();
        let http = reqwest::Client::builder().no_proxy().timeout(READY).build().unwrap();
        let prometheus = Prometheus { process, url: format!("http://{address}"), http };
        let ready = async || prometheus.get("/-/ready", &[]).await.is_ok();
        prometheus.process.wait_ready(READY, ready).await.unwrap();
        let all = "count(up{job='flotilla'} == 1)";
        let services = shop.fleet.services().len().to_string();
        prometheus.wait_for(shop, all, async |found| found == services).await;
        prometheus
    }

    /// What a query finds now: labels and value of each series.
    pub(crate) async fn ask(&self, query: &str) -> Result<Vec<(Value, String)>> {
        let answer =
            self.get("/api/v1/query", &[("query", query)]).await.context(query.to_owned())?;
        let found = answer["data"]["result"].as_array().cloned().unwrap_or_default();
        let series = found.into_iter().map(|series| {
            let value = series["value"][1].as_str().unwrap_or_default().to_owned();
            (series["metric"].clone(), value)
        });
        Ok(series.collect())
    }

    /// Waits until the only series that a query finds has a value that will do.
    pub(crate) async fn wait_for(
        &self,
        shop: &Shop,
        query: &str,
        good: impl AsyncFn(String) -> bool,
    ) {
        shop.wait(query, async || match self.ask(query).await?.as_slice() {
            [(_, value)] if good(value.clone()).await => Ok(Some(())),
            _other => Ok(None),
        })
        .await
        .unwrap();
    }

    /// Waits until alerts fire for a service, or none of them does any more.
    pub(crate) async fn wait_for_alert(
        &self,
        shop: &Shop,
        alert: &str,
        service: &str,
        fires: bool,
    ) {
        let query =
            format!("ALERTS{{alertname='{alert}',service='{service}',alertstate='firing'}}");
        shop.wait(&format!("{query} to be {fires}"), async || {
            Ok((self.ask(&query).await?.is_empty() != fires).then_some(()))
        })
        .await
        .unwrap();
    }

    pub(crate) async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Value> {
        expect(200, send(self.http.get(format!("{}{path}", self.url)).query(query)).await?)
    }

    pub(crate) async fn stop(self) {
        self.process.stop(STOP).await.unwrap();
    }
}

/// An address that nobody of the fleet has.
pub(crate) fn address(settings: &Settings) -> String {
    let ports = Settings::on_free_ports(&settings.root).unwrap().ports;
    format!("127.0.0.1:{}", ports.get("order"))
}

/// The labels of observability/prometheus.yaml, on the addresses of this fleet.
fn configuration(shop: &Shop) -> String {
    let target = |service: &&str| {
        let admin = shop.fleet.admin_url(service);
        let address = admin.trim_start_matches("http://");
        format!("      - targets: ['{address}']\n        labels: {{service: {service}}}\n")
    };
    let targets: String = shop.fleet.services().iter().map(target).collect();
    format!(
        "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\n\
         rule_files: [alerts.yaml]\n\
         scrape_configs:\n  - job_name: flotilla\n    static_configs:\n{targets}"
    )
}
