//! `flotilla topics`: creating the topics, which no running service does, and looking at them.

mod describe;

use std::process::ExitCode;

use anyhow::Result;
use chassis::topics::{self, Applied};
use clap::Subcommand;
use serde_json::json;

use super::kafka_error;
use crate::context::consent;
use crate::exit::Exit;
use crate::output::Output;

#[derive(Subcommand)]
pub(crate) enum Topics {
    /// Create the topics that are missing; of existing ones only `min.insync.replicas` is mended
    Apply {
        /// Partitions of a new topic
        #[arg(long, default_value_t = 3)]
        partitions: i32,
        /// Replicas of a new topic
        #[arg(long, default_value_t = 1)]
        replication: i32,
    },
    /// Whether all topics are there, and keep two copies of what they acknowledge where they can
    Check,
    /// The topics that exist
    List,
    /// Who writes a topic and who hears it, its events, key, order and retention, and where its partitions end
    Describe {
        /// The topic; all of the fleet when left out
        topic: Option<String>,
    },
}

pub(crate) async fn run(command: Topics, out: &Output) -> Result<ExitCode> {
    let brokers = super::brokers()?;
    match command {
        Topics::Apply { partitions, replication } => {
            consent()?;
            let plan = topics::plan(&super::language()?, partitions, &super::services()?);
            let applied = topics::apply(&brokers, &plan, replication).await;
            let applied = applied.map_err(|error| kafka_error(&brokers, error))?;
            let mut documents = Vec::new();
            for (name, outcome) in applied {
                let (text, partitions) = match outcome {
                    Applied::Created => ("created", partitions),
                    Applied::Existed(partitions) => ("existed", partitions),
                    Applied::Secured(partitions) => ("secured", partitions),
                };
                out.line(format_args!("{name:32} {text} ({partitions} partitions)"));
                documents.push(json!({ "topic": name, "outcome": text, "partitions": partitions }));
            }
            out.list("topics", &json!({ "topics": documents }));
        }
        Topics::Describe { topic } => return describe::run(topic, &brokers, out).await,
        Topics::Check => return check(&brokers, out).await,
        Topics::List => {
            let asked = brokers.clone();
            let existing = tokio::task::spawn_blocking(move || topics::existing(&asked)).await?;
            let existing = existing.map_err(|error| kafka_error(&brokers, error))?;
            if existing.is_empty() {
                out.line("no topics; `flotilla topics apply` creates those of the fleet");
            }
            let mut documents = Vec::new();
            for (name, partitions) in existing {
                out.line(format_args!("{name:32} {partitions} partitions"));
                documents.push(json!({ "topic": name, "partitions": partitions }));
            }
            out.list("topics", &json!({ "topics": documents }));
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn check(brokers: &str, out: &Output) -> Result<ExitCode> {
    let plan = topics::plan(&super::language()?, 1, &super::services()?);
    let names: Vec<String> = plan.into_iter().map(|topic| topic.name).collect();
    let safety = topics::safety(brokers, &names).await;
    let safety = safety.map_err(|error| kafka_error(brokers, error))?;
    let mut is_fine = true;
    let mut documents = Vec::new();
    for name in names {
        let found = safety.get(&name);
        let complaint = match found {
            Some(safety) => safety.complaint(),
            None => Some("it does not exist".to_owned()),
        };
        is_fine &= complaint.is_none();
        out.line(format_args!("{name:32} {}", complaint.as_deref().unwrap_or("ok")));
        documents.push(json!({
            "topic": name, "complaint": complaint,
            "replicas": found.map(|safety| safety.replicas),
            "in_sync": found.map(|safety| safety.in_sync),
        }));
    }
    out.list("topics", &json!({ "topics": documents }));
    if !is_fine {
        out.line("`flotilla topics apply` mends that");
    }
    Ok(if is_fine { ExitCode::SUCCESS } else { Exit::No.into() })
}
