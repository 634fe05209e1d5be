//! Where the measured fleet can be reached, and which processes it consists of.

use std::net::SocketAddr;

use crate::process::Process;

/// A running fleet.
#[derive(Debug, Clone)]
pub struct Fleet {
    /// Kafka, as `host:port`.
    pub brokers: String,
    /// Partitions of each topic.
    pub partitions: u16,
    pub services: Vec<Service>,
    pub databases: Vec<Database>,
    /// Everything whose CPU and memory are reported.
    pub processes: Vec<Process>,
}

/// A service.
#[derive(Debug, Clone)]
pub struct Service {
    pub name: String,
    pub replicas: Vec<Replica>,
}

/// One process of a service.
#[derive(Debug, Clone, Copy)]
pub struct Replica {
    pub http: SocketAddr,
    pub admin: SocketAddr,
}

/// The database of a service, on a server of its own or on one that all share.
#[derive(Debug, Clone)]
pub struct Database {
    pub name: String,
    pub url: String,
}

impl Fleet {
    /// The public addresses of a service, one per replica.
    pub fn http(&self, service: &str) -> Vec<SocketAddr> {
        let found = self.services.iter().filter(|s| s.name == service);
        found.flat_map(|service| &service.replicas).map(|replica| replica.http).collect()
    }
}
