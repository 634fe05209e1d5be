//! The changes, one after the other. Each leaves the fleet as it found it, except that replicas which come in one step
//! go in the next.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use flotilla::fleet::Fleet;
use futures::future::try_join_all;
use local::{Process, SERVICES, Settings, silent};

use super::balancer::Balancer;
use crate::fleet::{Replica, Service};
use crate::replicas::{replica, settled};

/// How long a program may take to stop; longer than its own limit.
const STOP: Duration = Duration::from_secs(25);
/// Replicas of every service at the most.
const REPLICAS: u16 = 3;

/// What changes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step {
    /// Every service is restarted, a second replica taking over meanwhile.
    Roll,
    /// Replicas come.
    Up,
    /// They go.
    Down,
    /// A member of each group dies; nobody's requests went to it.
    Rebalance,
    /// One broker stops and starts.
    Broker,
}

impl Step {
    pub(super) const ALL: [Step; 5] =
        [Step::Roll, Step::Up, Step::Down, Step::Rebalance, Step::Broker];

    pub(super) fn name(self) -> &'static str {
        match self {
            Step::Roll => "every service restarted",
            Step::Up => "replicas 1 to 3",
            Step::Down => "replicas 3 to 1",
            Step::Rebalance => "a member of each group dies",
            Step::Broker => "a broker restarted",
        }
    }
}

/// A replica beside the fleet's own.
struct Joined {
    service: &'static str,
    process: Process,
    replica: Replica,
}

/// Takes the steps.
pub(super) struct Steps<'a> {
    fleet: &'a Fleet,
    balancer: Arc<Balancer>,
    /// How many partitions there are to be held of what each service hears.
    whole: Vec<f64>,
    joined: Vec<Joined>,
}

impl<'a> Steps<'a> {
    pub(super) async fn new(fleet: &'a Fleet, balancer: &Arc<Balancer>) -> Result<Self> {
        let mut steps =
            Steps { fleet, balancer: Arc::clone(balancer), whole: Vec::new(), joined: Vec::new() };
        let alone = SERVICES.map(|service| steps.replicas_of(service));
        steps.whole = try_join_all(alone.iter().map(|service| settled(service, None))).await?;
        Ok(steps)
    }

    pub(super) async fn take(&mut self, step: Step) -> Result<()> {
        match step {
            Step::Roll => self.roll().await,
            Step::Up => self.up().await,
            Step::Down => self.down().await,
            Step::Rebalance => self.rebalance().await,
            Step::Broker => self.restart_broker().await,
        }
    }

    async fn roll(&mut self) -> Result<()> {
        for service in SERVICES {
            let stand_in = self.start(service, 2).await?;
            self.balancer.add(service, stand_in.replica)?;
            self.fleet.stop_service(service).await?;
            self.fleet.start_service(service).await?;
            self.end(stand_in).await?;
        }
        Ok(())
    }

    async fn up(&mut self) -> Result<()> {
        for number in 2..=REPLICAS {
            let started = SERVICES.map(|service| self.start(service, number));
            for joined in try_join_all(started).await? {
                self.balancer.add(joined.service, joined.replica)?;
                self.joined.push(joined);
            }
        }
        self.share().await
    }

    async fn down(&mut self) -> Result<()> {
        while let Some(last) = self.joined.pop() {
            self.end(last).await?;
        }
        self.share().await
    }

    async fn rebalance(&mut self) -> Result<()> {
        self.joined = try_join_all(SERVICES.map(|service| self.start(service, 2))).await?;
        self.share().await?;
        let dead = std::mem::take(&mut self.joined);
        try_join_all(dead.iter().map(|joined| joined.process.kill())).await?;
        self.share().await
    }

    async fn restart_broker(&self) -> Result<()> {
        let servers = self.fleet.environment();
        let name = servers.brokers()[0];
        let broker = Process::find(servers.settings(), name);
        broker.with_context(|| format!("{name} does not run"))?.stop(STOP).await?;
        servers.start(&silent).await
    }

    async fn start(&self, service: &'static str, number: u16) -> Result<Joined> {
        let settings = self.fleet.environment().settings();
        let ports = Settings::on_free_ports(&settings.root)?.ports;
        let name = format!("{service}-{number}");
        let process = self.fleet.start_replica(service, &name, ports).await?;
        Ok(Joined { service, process, replica: replica(service, ports) })
    }

    /// It is taken out when it says that it stops, and not before.
    async fn end(&self, joined: Joined) -> Result<()> {
        joined.process.stop(STOP).await?;
        self.balancer.remove(joined.service, joined.replica)
    }

    /// Waits until the replicas of each service share all partitions.
    async fn share(&self) -> Result<()> {
        let services = SERVICES.map(|service| self.replicas_of(service));
        let whole = services.iter().zip(&self.whole);
        try_join_all(whole.map(|(service, whole)| settled(service, Some(*whole)))).await?;
        Ok(())
    }

    fn replicas_of(&self, service: &'static str) -> Service {
        let own = replica(service, self.fleet.environment().settings().ports);
        let joined = self.joined.iter().filter(|joined| joined.service == service);
        let replicas = std::iter::once(own).chain(joined.map(|joined| joined.replica)).collect();
        Service { name: service.to_owned(), replicas }
    }
}
