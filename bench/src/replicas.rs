//! Further replicas of every service on this machine, and whether they have shared the work yet.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use flotilla::fleet::Fleet;
use futures::future::try_join_all;
use local::{Ports, SERVICES, Settings};

use crate::fleet::{Replica, Service};
use crate::metrics;

/// How long a consumer group may take to share its partitions. That takes a few heartbeats, and on a busy
/// machine the members of four groups join one after the other.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Starts replicas beside the fleet's own until there are this many of every service; returns them all,
/// once each group has shared its partitions among its replicas.
pub async fn start(fleet: &Fleet, replicas: u16) -> Result<Vec<Service>> {
    let settings = fleet.environment().settings();
    let own = |service: &str| Service {
        name: service.to_owned(),
        replicas: vec![replica(service, settings.ports)],
    };
    let mut services = SERVICES.map(own).to_vec();
    if replicas == 1 {
        return Ok(services);
    }
    // While they are alone they hold everything there is to share.
    let whole = try_join_all(services.iter().map(|service| settled(service, None))).await?;
    for number in 2..=replicas {
        let ports = Settings::on_free_ports(&settings.root)?.ports;
        let names = SERVICES.map(|service| (service, format!("{service}-{number}")));
        try_join_all(names.iter().map(|(service, name)| fleet.start_replica(service, name, ports)))
            .await?;
        for service in &mut services {
            service.replicas.push(replica(&service.name, ports));
        }
    }
    try_join_all(services.iter().zip(whole).map(|(service, whole)| settled(service, Some(whole))))
        .await?;
    Ok(services)
}

/// Where a replica with these ports is.
pub(crate) fn replica(service: &str, ports: Ports) -> Replica {
    let address = |name: &str| SocketAddr::from(([127, 0, 0, 1], ports.get(name)));
    Replica { http: address(service), admin: address(&format!("{service}-admin")) }
}

/// Waits until every replica holds partitions, and all replicas together hold the whole where that is known:
/// while some are handed over, nobody holds them. Returns how many they hold.
pub(crate) async fn settled(service: &Service, whole: Option<f64>) -> Result<f64> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let held = service.replicas.iter().map(|replica| metrics::partitions(replica.admin));
        let held = try_join_all(held).await?;
        let sum: f64 = held.iter().sum();
        if held.iter().all(|partitions| *partitions > 0.0) && whole.is_none_or(|all| all == sum) {
            return Ok(sum);
        }
        ensure!(
            Instant::now() < deadline,
            "the replicas of {} do not share their partitions: they hold {held:?} of {whole:?}",
            service.name
        );
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
