//! Who is in the fleet: the one place that says which services there are, what they own and hear, and whom
//! they call outside. The local fleet, its ports, the command line, the audit and the tests derive from it; what
//! they cannot derive (a dependency rule, a simulated rule) a test checks against it and names what is missing.
//!
//! A crate of its own, without dependencies, so that everything may read it: it knows no service, and no service
//! knows it. What a service says of itself is compiled into the service (`order describe`), and a test compares
//! the two.

#![warn(missing_docs)]

/// Every service, in the order in which ports are given and services are listed. A new one is added at the end:
/// the ports of the others stay as they are.
pub const ROSTER: &[Member] = &[
    Member {
        name: "order",
        folder: "services/order",
        starts: Starts::WithTheFleet,
        owns: &["order.events"],
        hears: &["inventory.events", "payment.events", "shipping.events", "inventory.catalogue"],
        neighbours: &[],
    },
    Member {
        name: "payment",
        folder: "services/payment",
        starts: Starts::WithTheFleet,
        owns: &["payment.events"],
        hears: &["order.events"],
        neighbours: &[Neighbour { name: "payment-provider", setting: "FLOTILLA_PROVIDER" }],
    },
    Member {
        name: "inventory",
        folder: "services/inventory",
        starts: Starts::WithTheFleet,
        owns: &["inventory.events", "inventory.catalogue"],
        hears: &["order.events", "warehouse.stock-adjustments"],
        neighbours: &[],
    },
    Member {
        name: "shipping",
        folder: "services/shipping",
        starts: Starts::WithTheFleet,
        owns: &["shipping.events"],
        hears: &["order.events"],
        neighbours: &[Neighbour { name: "carrier", setting: "FLOTILLA_CARRIER" }],
    },
    Member {
        name: "loyalty",
        folder: "examples/loyalty",
        starts: Starts::OnRequest,
        owns: &["loyalty.events"],
        hears: &["order.events"],
        neighbours: &[],
    },
];

/// Topics that the fleet hears and nobody in it owns, with who writes there.
pub const FOREIGN_TOPICS: &[(&str, &str)] = &[("warehouse.stock-adjustments", "warehouse")];

/// The names of the services that every fleet has.
pub const SERVICES: [&str; count(Starts::WithTheFleet)] = names(Starts::WithTheFleet);

/// One service. Its database, its program, its consumer group and its topic of dead letters have its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// Its name.
    pub name: &'static str,
    /// The folder of its crate, from the root of the repository.
    pub folder: &'static str,
    /// Whether every fleet has it.
    pub starts: Starts,
    /// The topics that it alone writes to, without its dead letters.
    pub owns: &'static [&'static str],
    /// The topics that it hears.
    pub hears: &'static [&'static str],
    /// Whom it calls outside the fleet.
    pub neighbours: &'static [Neighbour],
}

/// Whether a service belongs to every fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Starts {
    /// It does.
    WithTheFleet,
    /// It has ports and a database, and is started where somebody asks for it (`flotilla local up --with`). It
    /// stands outside the saga: it brings its own language along, and no other service acts on what it says.
    OnRequest,
}

/// Somebody outside whom a service calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Neighbour {
    /// The name in logs and metrics.
    pub name: &'static str,
    /// The setting that says where it is.
    pub setting: &'static str,
}

/// The service of that name.
pub fn find(name: &str) -> Option<&'static Member> {
    ROSTER.iter().find(|member| member.name == name)
}

/// Who owns a topic.
pub fn owner_of(topic: &str) -> Option<&'static Member> {
    ROSTER.iter().find(|member| member.owns.contains(&topic))
}

const fn is(starts: Starts, member: &Member) -> bool {
    matches!(
        (starts, member.starts),
        (Starts::WithTheFleet, Starts::WithTheFleet) | (Starts::OnRequest, Starts::OnRequest)
    )
}

const fn count(starts: Starts) -> usize {
    let (mut count, mut at) = (0, 0);
    while at < ROSTER.len() {
        count += is(starts, &ROSTER[at]) as usize;
        at += 1;
    }
    count
}

const fn names<const N: usize>(starts: Starts) -> [&'static str; N] {
    let (mut names, mut found, mut at) = ([""; N], 0, 0);
    while at < ROSTER.len() {
        if is(starts, &ROSTER[at]) {
            names[found] = ROSTER[at].name;
            found += 1;
        }
        at += 1;
    }
    names
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn all_different<'a>(names: impl Iterator<Item = &'a str>) -> bool {
        let mut seen = BTreeSet::new();
        names.into_iter().all(|name| seen.insert(name))
    }

    #[test]
    fn a_service_and_a_topic_are_named_once() {
        assert!(all_different(ROSTER.iter().map(|member| member.name)));
        let owned = ROSTER.iter().flat_map(|member| member.owns).copied();
        assert!(all_different(owned.chain(FOREIGN_TOPICS.iter().map(|(topic, _)| *topic))));
    }

    #[test]
    fn whatever_is_heard_has_an_owner() {
        for topic in ROSTER.iter().flat_map(|member| member.hears) {
            let foreign = FOREIGN_TOPICS.iter().any(|(name, _)| name == topic);
            assert!(owner_of(topic).is_some() || foreign, "nobody writes to {topic}");
        }
    }

    #[test]
    fn names_can_be_those_of_databases_programs_and_variables() {
        for member in ROSTER {
            let plain = |c: char| c.is_ascii_lowercase();
            assert!(!member.name.is_empty() && member.name.chars().all(plain), "{}", member.name);
            for neighbour in member.neighbours {
                assert!(neighbour.setting.starts_with("FLOTILLA_"), "{}", neighbour.setting);
            }
        }
    }
}
