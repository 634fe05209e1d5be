//! What is claimed, one after the other: each is a line with how long it took, and the first that does not hold ends the
//! run with what the cluster says of itself.

use std::time::Instant;

use anyhow::{Context, Result, anyhow, ensure};

use crate::guide;
use crate::load::{Load, Outcome};
use crate::node::{Node, Tools};
use crate::outside::Outside;
use crate::release::{NAMESPACE, ORDERS, Release, is_ready};

/// Orders a second while something is done to the fleet. Two cores carry the whole cluster and all servers beside it.
const RATE: u32 = 20;
/// Lines of a container's log that are shown after a claim that does not hold.
const LAST_WORDS: &str = "40";

/// Everything that the claims are about.
pub(crate) struct Run {
    /// The cluster.
    pub(crate) node: Node,
    /// What is outside of it.
    pub(crate) outside: Outside,
    /// The fleet in it.
    pub(crate) release: Release,
}

impl Run {
    /// A node with images, and servers outside of it.
    pub(crate) async fn start(folder: &std::path::Path, tools: Tools) -> Result<Self> {
        let outside = Outside::start(&folder.join("outside")).await?;
        let node = Node::start(folder.join("node"), tools)?;
        outside.expose(&node)?;
        let release = Release::new(&node, &outside).await?;
        Ok(Run { node, outside, release })
    }

    /// Other servers outside, with nothing in them, in place of those before. The release must be gone.
    pub(crate) async fn renew(&mut self, folder: &std::path::Path) -> Result<()> {
        self.outside.stop().await?;
        self.outside = Outside::start(&folder.join("outside-again")).await?;
        self.outside.expose(&self.node)?;
        self.release = Release::new(&self.node, &self.outside).await?;
        Ok(())
    }

    /// Says that something holds, after it was seen.
    pub(crate) async fn claim(
        &self,
        what: &str,
        seen: impl AsyncFnOnce(&Run) -> Result<String>,
    ) -> Result<()> {
        let started = Instant::now();
        let seen = seen(self).await.and_then(|figures| match self.node.ended() {
            Some(ended) => {
                Err(anyhow!("programs of the node ended, which nobody wanted:\n{ended}"))
            }
            None => Ok(figures),
        });
        let figures = match seen {
            Ok(figures) => figures,
            Err(error) => {
                eprintln!("not so: {what}: {error:#}\n");
                self.diagnose();
                return Err(error).with_context(|| format!("not so: {what}"));
            }
        };
        let figures = if figures.is_empty() { figures } else { format!(" ({figures})") };
        println!("{:6.1} s  {what}{figures}", started.elapsed().as_secs_f64());
        Ok(())
    }

    /// Does something while orders come, each of which must be accepted at the first attempt; afterwards every order
    /// ends, and the books are in order.
    pub(crate) async fn under_load(
        &self,
        act: impl AsyncFnOnce(&Run) -> Result<()>,
    ) -> Result<Outcome> {
        self.load(false, act).await
    }

    /// The same with callers who ask again while the service is away.
    pub(crate) async fn under_patient_load(
        &self,
        act: impl AsyncFnOnce(&Run) -> Result<()>,
    ) -> Result<Outcome> {
        self.load(true, act).await
    }

    async fn load(
        &self,
        is_patient: bool,
        act: impl AsyncFnOnce(&Run) -> Result<()>,
    ) -> Result<Outcome> {
        let load = Load::start(&self.node, ORDERS, &self.release.sku, RATE, is_patient)?;
        let done = act(self).await;
        let outcome = load.end();
        done?;
        let outcome = outcome?;
        let (failed, sent) = (outcome.failed.len(), outcome.sent);
        ensure!(sent > 0, "no order was sent meanwhile");
        let first: Vec<_> = outcome.failed.iter().take(5).collect();
        ensure!(failed == 0, "{failed} of {sent} orders were not accepted: {first:#?}");
        self.audit().await?;
        Ok(outcome)
    }

    /// Waits until all orders have ended, and checks every rule of the saga.
    pub(crate) async fn audit(&self) -> Result<()> {
        if !self.outside.has_databases() {
            guide::let_audit_in(self)?;
        }
        self.outside.audit().await
    }

    /// What the cluster says of itself, and the last words of every container that is not ready: the node is gone when
    /// somebody reads this.
    fn diagnose(&self) {
        let everywhere = ["get", "pods", "--all-namespaces", "--output", "wide"];
        let warnings = ["get", "events", "--all-namespaces", "--field-selector", "type!=Normal"];
        let mut questions: Vec<Vec<&str>> = vec![everywhere.into(), warnings.into()];
        let pods = self.node.object(&["pods", "--namespace", NAMESPACE]).unwrap_or_default();
        let pods = pods["items"].as_array().into_iter().flatten();
        let waiting = pods.filter(|pod| !is_ready(pod) && pod["status"]["phase"] != "Succeeded");
        for name in waiting.filter_map(|pod| pod["metadata"]["name"].as_str()) {
            let logs = ["logs", "--namespace", NAMESPACE, name, "--all-containers", "--prefix"];
            questions.push([&logs[..], &["--ignore-errors", "--tail", LAST_WORDS]].concat());
        }
        for question in questions {
            match self.node.kubectl(&question) {
                Ok(said) => eprintln!("{said}\n"),
                Err(error) => eprintln!("{error:#}"),
            }
        }
    }
}

/// What the figures of a load say.
pub(crate) fn figures(outcome: &Outcome) -> String {
    let [median, late, longest] = outcome.latency_ms;
    let (sent, failed) = (outcome.sent, outcome.failed.len());
    format!(
        "{sent} orders, {failed} failed, answered in {median} ms, p99 {late} ms, at most {longest} ms; audit clean"
    )
}
