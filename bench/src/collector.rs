//! A receiver of traces and metrics: a process that counts and forgets them, so that the measurement shows
//! what the services spend on telemetry and not what a real collector does with it.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use flotilla::fleet::FleetSettings;
use local::{Process, ProcessSpec};
use serde::{Deserialize, Serialize};

use crate::http::Client;

/// Its name as a process and as a program.
pub const NAME: &str = "collector";
/// How long it may take until it listens.
const READY: Duration = Duration::from_secs(10);
/// How often services send their metrics. The usual minute would be once in a window or not at all; an
/// export costs little compared with the orders of five seconds.
const METRICS_EVERY: Duration = Duration::from_secs(5);
/// How long after the load the first metrics and spans may arrive: spans wait for five seconds, too.
const ARRIVAL: Duration = Duration::from_secs(15);
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// A running collector.
#[derive(Debug, Clone)]
pub struct Collector {
    sampling: f64,
    listening: Listening,
}

/// Where a collector listens. It says so, as JSON, on its output.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Listening {
    /// For OTLP over HTTP, and for asking what has arrived.
    pub address: SocketAddr,
}

/// What has arrived.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Received {
    pub spans: u64,
    /// Each holds all metrics of a process.
    pub metric_exports: u64,
}

/// A report's part on telemetry.
#[derive(Debug, Clone, Serialize)]
pub struct Telemetry {
    /// Share of traces recorded.
    pub sampling: f64,
    #[serde(flatten)]
    pub received: Received,
}

impl Collector {
    /// Starts one for a fleet that is to record this share of its traces.
    pub async fn start(fleet: &FleetSettings, sampling: f64) -> Result<Self> {
        let spec = ProcessSpec::new(NAME, fleet.programs.join(NAME));
        let process = Process::start(&fleet.settings, &spec, fleet.lifetime)?;
        let mut listening = None;
        let listens = async || {
            listening = serde_json::from_str(&process.output()).ok();
            listening.is_some()
        };
        process.wait_ready(READY, listens).await?;
        let listening = listening.context("the collector is ready, so it has said where")?;
        Ok(Collector { sampling, listening })
    }

    /// What tells the services to send to it.
    pub fn variables(&self) -> [(String, String); 4] {
        [
            // Exporters use the proxies of the environment; the collector is on this machine.
            ("NO_PROXY", "127.0.0.1".to_owned()),
            ("FLOTILLA_OTLP_ENDPOINT", format!("http://{}", self.listening.address)),
            ("FLOTILLA_TRACE_SAMPLING", self.sampling.to_string()),
            ("OTEL_METRIC_EXPORT_INTERVAL", METRICS_EVERY.as_millis().to_string()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
    }

    /// What arrived. Fails when there were no spans or no metrics: then nothing was measured.
    pub async fn telemetry(&self) -> Result<Telemetry> {
        let deadline = Instant::now() + ARRIVAL;
        loop {
            let received = self.received().await?;
            if received.spans > 0 && received.metric_exports > 0 {
                return Ok(Telemetry { sampling: self.sampling, received });
            }
            ensure!(
                Instant::now() < deadline,
                "the services were to send traces and metrics, and there arrived {received:?}"
            );
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn received(&self) -> Result<Received> {
        let mut client = Client::new(self.listening.address);
        let response = client.get("/received").await.context("the collector does not answer")?;
        Ok(serde_json::from_slice(response.body)?)
    }
}
