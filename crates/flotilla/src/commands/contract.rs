//! `flotilla contract`: whether a consumer of somebody else does what a consumer has to do.

use std::collections::HashMap;
use std::mem::discriminant;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, anyhow};
use clap::{Args, Subcommand};
use events::TOPICS;
use flotilla::contract::{Consumer, Servers, Verdict, given, own, publish, test, topics_of_orders};
use serde_json::json;

use crate::exit::{Exit, coded};
use crate::output::{Output, visible};

/// How many faults of a kind are told of a run; the others are mostly the same one.
const TOLD_MAX: usize = 10;

#[derive(Subcommand)]
pub(crate) enum Contract {
    /// Feed a consumer every recorded saga as Kafka may deliver it: interleaved, with copies, with a type and a version
    /// that it does not know, killed half-way and started again. It prints a line of JSON with `source` and `id` for
    /// each event. Exit code 1: it has faults
    Test(Test),
}

#[derive(Args)]
pub(crate) struct Test {
    /// A topic that it reads; all that are about orders when left out
    #[arg(long)]
    topic: Vec<String>,
    /// Treat the consumer as finished after this many seconds without output
    #[arg(long, default_value_t = 10)]
    idle_seconds: u64,
    /// Kafka, for tests, where the fleet's topics must be empty; a Kafka of its own when left out
    #[arg(long, requires = "registry")]
    brokers: Option<String>,
    /// The registry beside it: the root of its Confluent API
    #[arg(long, requires = "brokers")]
    registry: Option<String>,
    /// The consumer's program and its arguments. It finds FLOTILLA_KAFKA_BROKERS, FLOTILLA_REGISTRY_URL and
    /// FLOTILLA_GROUP in its environment; {group} in an argument is the group's name too
    #[arg(last = true, required = true)]
    command: Vec<String>,
}

pub(crate) async fn run(Contract::Test(asked): Contract, out: &Output) -> Result<ExitCode> {
    let known: Vec<String> = TOPICS.iter().map(|topic| topic.name.to_owned()).collect();
    if let Some(unknown) = asked.topic.iter().find(|topic| !known.contains(topic)) {
        let there = known.join(", ");
        let error = anyhow!("no topic of the fleet is called {unknown}; there are: {there}");
        return Err(coded(Exit::Missing, error));
    }
    let topics = if asked.topic.is_empty() { topics_of_orders() } else { asked.topic };
    let folder = tempfile::tempdir()?;
    let progress = out.progress();
    let servers = match (asked.brokers, asked.registry) {
        (Some(brokers), Some(registry)) => given(brokers, registry),
        _ => own(folder.path(), &progress).await?,
    };
    let idle = Duration::from_secs(asked.idle_seconds);
    let consumer = Consumer { command: asked.command, topics, idle };
    let verdicts = judge(&servers, &consumer).await;
    // Also where it could not be judged.
    servers.stop(&progress).await?;
    let verdicts = verdicts?;
    verdicts.iter().for_each(|verdict| tell(verdict, out));
    let shown = verdicts.iter().map(|verdict| {
        let faults: Vec<String> = verdict.faults.iter().map(ToString::to_string).collect();
        json!({ "run": verdict.run, "events": verdict.events, "faults": faults })
    });
    out.document(&json!({ "runs": shown.collect::<Vec<_>>() }));
    let is_right = verdicts.iter().all(|verdict| verdict.faults.is_empty());
    Ok(if is_right { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn judge(servers: &Servers, consumer: &Consumer) -> Result<Vec<Verdict>> {
    let expected = publish(servers, &consumer.topics).await?;
    tokio::task::block_in_place(|| test(servers, consumer, &expected))
}

fn tell(Verdict { run, events, faults }: &Verdict, out: &Output) {
    if faults.is_empty() {
        out.line(format_args!("{} {run}: {events} events, each in its order", out.good("right")));
        return;
    }
    out.line(format_args!("{} {run}: {} faults", out.bad("wrong"), faults.len()));
    let (mut of_kind, mut untold) = (HashMap::new(), 0);
    for fault in faults {
        let told: &mut usize = of_kind.entry(discriminant(fault)).or_default();
        *told += 1;
        match *told <= TOLD_MAX {
            true => out.line(format_args!("  {}", visible(&fault.to_string(), &[]))),
            false => untold += 1,
        }
    }
    if untold > 0 {
        out.line(format_args!("  and {untold} more; --json tells all"));
    }
}
