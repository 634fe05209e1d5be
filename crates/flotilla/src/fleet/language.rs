//! The published language of the services that a fleet has: the fleet's own, which is compiled in, and that of
//! services on request, which is their own and which their programs print (`describe --json`).

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, Result, bail};
use events::TOPICS;
use language::{RecordInfo, TopicInfo};
use local::errand;
use roster::Starts;
use serde::Deserialize;

use super::settings::program;

/// What a program says about what it publishes.
#[derive(Deserialize)]
struct Description {
    publishes: Vec<Published>,
    schemas: HashMap<String, String>,
}

#[derive(Deserialize)]
struct Published {
    topic: String,
    key: String,
    records: Vec<String>,
}

/// The language of a fleet that has these services, with the programs in a folder.
pub fn language(services: &[&str], programs: &Path) -> Result<Vec<TopicInfo>> {
    let is_on_request =
        |name: &&&str| roster::find(name).is_some_and(|member| member.starts == Starts::OnRequest);
    let mut language = TOPICS.to_vec();
    for service in services.iter().filter(is_on_request) {
        language.extend(of(&program(programs, service)?)?);
    }
    Ok(language)
}

/// The topics that a program publishes to and the fleet's language does not have.
fn of(program: &Path) -> Result<Vec<TopicInfo>> {
    let asked = errand(program).args(["describe", "--json"]).output();
    let said = asked.context("cannot run setpriv: apt-get install util-linux")?;
    if !said.status.success() {
        bail!("{}", String::from_utf8_lossy(&said.stderr));
    }
    let description = serde_json::from_slice(&said.stdout)
        .with_context(|| format!("{} does not describe itself", program.display()))?;
    own_topics(description)
}

fn own_topics(Description { publishes, mut schemas }: Description) -> Result<Vec<TopicInfo>> {
    let own =
        publishes.into_iter().filter(|own| TOPICS.iter().all(|known| known.name != own.topic));
    let topic = |Published { topic, key, records }| {
        let (topic, key) = (for_good(topic), for_good(key));
        let record = |full_name: String| {
            let schema = schemas.remove(&full_name);
            let schema = schema.with_context(|| format!("{full_name} has no schema"))?;
            let full_name = for_good(full_name);
            let name = full_name.rsplit('.').next().unwrap_or(full_name);
            Ok(RecordInfo { name, full_name, topic, schema: for_good(schema) })
        };
        let records: Vec<_> = records.into_iter().map(record).collect::<Result<_>>()?;
        Ok(TopicInfo { name: topic, key, records: records.leak(), compacted: false })
    };
    own.map(topic).collect()
}

/// A language is compiled in everywhere else and lives as long as the process. So does this one: a few names and
/// schemas, for each start of a fleet.
fn for_good(text: String) -> &'static str {
    text.leak()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(topic: &str) -> Description {
        serde_json::from_value(serde_json::json!({
            "service": "loyalty",
            "publishes": [{ "topic": topic, "key": "customer_id",
                            "records": ["flotilla.loyalty.v1.PointsChanged"] }],
            "schemas": { "flotilla.loyalty.v1.PointsChanged": "{}" },
        }))
        .unwrap()
    }

    #[test]
    fn a_topic_that_a_service_brings_along_has_its_records_and_their_schemas() {
        let topics = own_topics(said("loyalty.events")).unwrap();
        let [TopicInfo { name: "loyalty.events", key, records: [record], compacted: false }] =
            topics[..]
        else {
            panic!("{topics:?}")
        };
        assert_eq!(key, "customer_id");
        assert_eq!((record.name, record.schema), ("PointsChanged", "{}"));
        assert_eq!(chassis::subject(record), "loyalty.events-flotilla.loyalty.v1.PointsChanged");
    }

    #[test]
    fn a_topic_of_the_fleet_is_not_described_twice_and_a_record_needs_a_schema() {
        assert!(own_topics(said("order.events")).unwrap().is_empty());
        let mut without = said("loyalty.events");
        without.schemas.clear();
        own_topics(without).unwrap_err();
    }
}
