//! Which port is whose. Services take theirs from the base on, in the order of the roster; servers and databases
//! have theirs beyond the last service that there may ever be, so that a new service moves no other's.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::LazyLock;

use anyhow::{Result, bail};
use roster::ROSTER;
use uuid::Uuid;

/// The first port, unless `FLOTILLA_BASE_PORT` says otherwise.
pub const DEFAULT_BASE_PORT: u16 = 7400;

/// How many services there is room for.
const MEMBERS_MAX: usize = 16;
/// A service has a public port and an admin port.
const PORTS_OF_A_MEMBER: u16 = 2;
/// Where the ports of what every fleet has once begin, from the base.
const SHARED: u16 = 32;
/// The order of those.
const SHARED_PORTS: [&str; 8] = [
    "sandbox",
    "kafka",
    "kafka-controller",
    "registry",
    "registry-management",
    "postgres-registry",
    "postgres-fleet",
    "kafka-elsewhere",
];
/// Where the ports of the further nodes of Kafka begin, which most fleets do not have.
const FURTHER_NODES: u16 = 40;
/// The order of those.
const PORTS_OF_FURTHER_NODES: [&str; 4] =
    ["kafka-2", "kafka-2-controller", "kafka-3", "kafka-3-controller"];
/// Where the ports of the services' databases begin, one each.
const DATABASES: u16 = 48;
/// How many ports an environment spans.
const SPAN: u16 = 64;

const _: () = assert!(ROSTER.len() < MEMBERS_MAX, "there are no ports for so many services");

/// The bases that may be chosen.
pub(crate) const BASES: std::ops::RangeInclusive<u16> = 1024..=65_000;
/// Where free ports are looked for: above the well-known ones, and below what the kernel gives to outgoing
/// connections, one of which could otherwise take the port of a server that is being restarted.
const FREE: std::ops::Range<u16> = 10_000..32_000;

/// Name and distance from the base of each port.
static PLAN: LazyLock<Vec<(String, u16)>> = LazyLock::new(|| {
    let mut plan = Vec::new();
    for (number, member) in (0..).zip(ROSTER) {
        let first = number * PORTS_OF_A_MEMBER;
        plan.push((member.name.to_owned(), first));
        plan.push((format!("{}-admin", member.name), first + 1));
    }
    let once = (SHARED..).zip(SHARED_PORTS);
    let further = (FURTHER_NODES..).zip(PORTS_OF_FURTHER_NODES);
    plan.extend(once.chain(further).map(|(port, name)| (name.to_owned(), port)));
    let databases = (DATABASES..).zip(ROSTER);
    plan.extend(databases.map(|(port, member)| (format!("postgres-{}", member.name), port)));
    plan
});

/// Every port of an environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ports {
    base: u16,
}

impl Ports {
    /// Ports from `base` on, which need not belong to a folder.
    pub fn from_base(base: u16) -> Self {
        Ports { base }
    }

    /// A block of ports that nobody listens on, and that is this process's from now on: programs that choose at the
    /// same moment would otherwise choose the same one now and then, before any server of theirs listens. The claim is a
    /// listener on the block's last port, which no server has.
    pub(crate) fn free() -> Result<Self> {
        let blocks = u128::from((FREE.end - FREE.start) / SPAN);
        let first = Uuid::new_v4().as_u128() % blocks;
        for step in 0..blocks {
            let block = u16::try_from((first + step) % blocks)?;
            let ports = Ports { base: FREE.start + block * SPAN };
            let Ok(claim) = bind(ports.base + SPAN - 1) else { continue };
            if ports.all().all(|(_, port)| bind(port).is_ok()) {
                // For as long as the process lives: it may start its servers again.
                std::mem::forget(claim);
                return Ok(ports);
            }
        }
        bail!("no {SPAN} ports in a row are free from {} to {}", FREE.start, FREE.end)
    }

    /// The first port.
    pub fn base(&self) -> u16 {
        self.base
    }

    /// Every port with the name of the process that listens there.
    pub fn all(&self) -> impl Iterator<Item = (&'static str, u16)> {
        let base = self.base;
        PLAN.iter().map(move |(name, distance)| (&**name, base + distance))
    }

    /// The port of that name.
    ///
    /// # Panics
    ///
    /// When there is none: names that people type are checked with
    /// [`known_service`](crate::known_service) first.
    pub fn get(&self, name: &str) -> u16 {
        let found = self.all().find(|(known, _)| *known == name);
        found.unwrap_or_else(|| panic!("no port is called {name}")).1
    }

    /// Fails when somebody else listens on a port that is needed, and says who needs it.
    pub fn check_free(&self, name: &str) -> Result<()> {
        let port = self.get(name);
        if let Err(error) = bind(port) {
            let other = if self.base > 40_000 { DEFAULT_BASE_PORT } else { self.base + 1000 };
            bail!(
                "port {port}, which {name} needs, cannot be used: {error}; stop what listens there \
                 (`ss -ltnp 'sport = :{port}'` names it), or choose other ports: FLOTILLA_BASE_PORT={other}"
            );
        }
        Ok(())
    }
}

fn bind(port: u16) -> std::io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn everybody_has_a_port_of_its_own_within_the_span() {
        let ports: BTreeSet<u16> = PLAN.iter().map(|(_, distance)| *distance).collect();
        assert_eq!(ports.len(), PLAN.len());
        assert!(ports.iter().all(|distance| *distance < SPAN));
    }

    #[test]
    fn no_block_is_chosen_twice() {
        let bases: BTreeSet<u16> = (0..50).map(|_| Ports::free().unwrap().base()).collect();
        assert_eq!(bases.len(), 50);
    }

    #[test]
    fn as_many_services_as_there_is_room_for_reach_into_nobody_elses_ports() {
        let most = u16::try_from(MEMBERS_MAX).unwrap();
        assert!(most * PORTS_OF_A_MEMBER <= SHARED);
        assert!(SHARED + u16::try_from(SHARED_PORTS.len()).unwrap() <= FURTHER_NODES);
        let further = u16::try_from(PORTS_OF_FURTHER_NODES.len()).unwrap();
        assert!(FURTHER_NODES + further <= DATABASES);
        assert!(DATABASES + most <= SPAN);
    }
}
