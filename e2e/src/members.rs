//! The services on the roster, as this crate has their code: what each says of itself, and the document of its
//! API. One entry each; a service that is missing here fails a test by name.

use chassis::{Description, OfEveryService, describe};
use roster::{FOREIGN_TOPICS, Member, ROSTER, Starts};
use serde::Serialize;
use utoipa::openapi::OpenApi;

/// A service whose code this crate has.
pub struct Code {
    /// Its name on the roster.
    pub name: &'static str,
    /// What it says about itself.
    pub describe: fn() -> Description,
    /// The part of its public API that `docs/openapi.json` has. A service on request serves its own document and has
    /// no part there.
    pub document: Option<fn() -> OpenApi>,
}

/// All of them.
pub const ALL: &[Code] = &[
    Code { name: "order", describe: || describe(order::app), document: Some(order::document) },
    Code {
        name: "payment",
        describe: || describe(payment::app),
        document: Some(payment::document),
    },
    Code {
        name: "inventory",
        describe: || describe(inventory::app),
        document: Some(inventory::document),
    },
    Code {
        name: "shipping",
        describe: || describe(shipping::app),
        document: Some(shipping::document),
    },
    Code { name: "loyalty", describe: || describe(loyalty::app), document: None },
];

/// The code of a service.
pub fn code_of(name: &str) -> Option<&'static Code> {
    ALL.iter().find(|code| code.name == name)
}

/// What every service says about itself, and what the roster adds: everything needed to write a chart, an access
/// list or a catalogue of events for the fleet, in any language.
pub fn document() -> String {
    let service = |member: &Member| Service {
        starts: match member.starts {
            Starts::WithTheFleet => "with_the_fleet",
            Starts::OnRequest => "on_request",
        },
        database: member.name,
        description: code_of(member.name).map(|code| (code.describe)()),
    };
    let topic = |(name, writer): &(&'static str, &'static str)| ForeignTopic { name, writer };
    let fleet = Fleet {
        services: ROSTER.iter().map(service).collect(),
        foreign_topics: FOREIGN_TOPICS.iter().map(topic).collect(),
        of_every_service: chassis::of_every_service(),
    };
    let text = serde_json::to_string_pretty(&fleet).expect("a description is plain data");
    format!("{text}\n")
}

#[derive(Serialize)]
struct Fleet {
    services: Vec<Service>,
    foreign_topics: Vec<ForeignTopic>,
    of_every_service: OfEveryService,
}

#[derive(Serialize)]
struct Service {
    #[serde(flatten)]
    description: Option<Description>,
    starts: &'static str,
    database: &'static str,
}

#[derive(Serialize)]
struct ForeignTopic {
    name: &'static str,
    writer: &'static str,
}
