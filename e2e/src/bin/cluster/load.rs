//! Orders that come at a steady rate, from a process of its own: it is on the node's network, where the rest of the run
//! is not. An order is placed once, and whatever is not accepted counts as failed: nobody asks again, unless the load is
//! patient, and then only where the service is away.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use e2e::shop::{order_of, send};
use reqwest::Client;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::node::Node;

/// The argument with which this program is the load.
pub(crate) const ARGUMENT: &str = "load";
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a patient caller goes on asking.
const AWAY: Duration = Duration::from_secs(60);
/// How long it waits in between.
const PAUSE: Duration = Duration::from_millis(500);

/// What became of the requests.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Outcome {
    /// How many orders were sent.
    pub(crate) sent: usize,
    /// Those that were not accepted, the first of them in words.
    pub(crate) failed: Vec<String>,
    /// From when an order was due to its answer, in milliseconds: the median, the 99th percentile and the longest.
    pub(crate) latency_ms: [u64; 3],
}

/// Orders that are being placed.
pub(crate) struct Load(Child);

impl Load {
    /// Places this many orders a second for an item until it is ended. A patient one sends an order again, with the same
    /// key, while the service is away.
    pub(crate) fn start(
        node: &Node,
        orders: &str,
        sku: &str,
        rate: u32,
        is_patient: bool,
    ) -> Result<Self> {
        let program = std::env::current_exe()?.display().to_string();
        let (rate, is_patient) = (rate.to_string(), is_patient.to_string());
        let mut command = node.on_network([&*program, ARGUMENT, orders, sku, &rate, &is_patient]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        // Its first line: an order was accepted.
        let mut line = String::new();
        let stdout = child.stdout.as_mut().context("the pipe was asked for")?;
        BufReader::with_capacity(1, stdout).read_line(&mut line)?;
        ensure!(line.trim() == "begun", "the load did not begin: {line}");
        Ok(Load(child))
    }

    /// No more orders. What became of them, once all are answered.
    pub(crate) fn end(mut self) -> Result<Outcome> {
        drop(self.0.stdin.take());
        let output = self.0.wait_with_output()?;
        Ok(serde_json::from_slice(&output.stdout)?)
    }
}

/// The process: begins, goes on until its standard input ends, and writes what became of it.
pub(crate) async fn run(orders: &str, sku: &str, rate: &str, is_patient: &str) -> Result<()> {
    let (rate, is_patient): (u32, bool) = (rate.parse()?, is_patient.parse()?);
    let http = Client::builder().no_proxy().timeout(PATIENCE).build()?;
    let first = place(&http, orders, sku, is_patient).await;
    ensure!(first.is_ok(), "the first order: {first:?}");
    println!("begun");
    std::io::stdout().flush()?;
    let mut is_over = tokio::task::spawn_blocking(|| std::io::stdin().read(&mut [0]));
    let outcome = Arc::new(Mutex::new((Outcome::default(), Vec::new())));
    let mut placed = JoinSet::new();
    let mut due = tokio::time::interval(Duration::from_secs(1) / rate);
    while !is_over.is_finished() {
        let due = tokio::select! {
            due = due.tick() => due.into_std(),
            _ = &mut is_over => break,
        };
        let (http, orders, sku) = (http.clone(), orders.to_owned(), sku.to_owned());
        let outcome = Arc::clone(&outcome);
        placed.spawn(async move {
            let answer = place(&http, &orders, &sku, is_patient).await;
            let mut both = outcome.lock().await;
            both.0.sent += 1;
            both.1.push(due.elapsed());
            if let Err(error) = answer {
                both.0.failed.push(format!("{error:#}"));
            }
        });
    }
    placed.join_all().await;
    let (mut outcome, mut latencies) = outcome.lock().await.clone();
    latencies.sort_unstable();
    let at = |percent: usize| {
        let place = (latencies.len() * percent).div_ceil(100).saturating_sub(1);
        latencies.get(place).map_or(0, |latency: &Duration| latency.as_millis() as u64)
    };
    outcome.latency_ms = [at(50), at(99), at(100)];
    println!("{}", serde_json::to_string(&outcome)?);
    Ok(())
}

async fn place(http: &Client, orders: &str, sku: &str, is_patient: bool) -> Result<()> {
    let started = Instant::now();
    let body = order_of(&[(sku, 1)], "DE", "tok_visa");
    let key = Uuid::new_v4().to_string();
    loop {
        let request = http.post(orders).header("Idempotency-Key", &key).json(&body);
        let answer = send(request).await;
        // Where no replica is ready, nobody answers at the address of the Service.
        let is_away = answer.as_ref().map_or(true, |(status, _)| *status == 503);
        if is_patient && is_away && started.elapsed() < AWAY {
            tokio::time::sleep(PAUSE).await;
            continue;
        }
        let context = || format!("after {} ms", started.elapsed().as_millis());
        let (status, body) = answer.with_context(context)?;
        ensure!(status == 201, "{status}: {body}");
        return Ok(());
    }
}
