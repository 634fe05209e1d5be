//! `flotilla events replay`: events of a topic once more. What is meant is fixed when it begins; what it is about, and
//! how far it is, stands in a file of the user's, so that it goes on where it was interrupted and is not done twice
//! unless somebody says so.

mod progress;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use anyhow::{Result, anyhow};
use chassis::replay::{self, ReplayError, Target};
use chassis::tail::{From, Ranges, Record, Scope, Tail, To};
use chassis::topics;
use clap::Args;
use serde_json::{Value, json};
use tokio::task::block_in_place;

use super::selection::{Instant, Selection};
use super::{line, unread, writer_of};
use crate::commands::{brokers, kafka_error};
use crate::context::consent;
use crate::exit::{Exit, coded};
use crate::output::Output;
use progress::{Progress, Stored};

#[derive(Args)]
pub(crate) struct Replay {
    /// The topic
    topic: String,
    #[command(flatten)]
    selection: Selection,
    /// To this topic instead, which must exist
    #[arg(long, value_name = "TOPIC")]
    to_topic: Option<String>,
    /// At most so many events a second
    #[arg(long, value_name = "EVENTS", value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,
    /// Do it; without it, what would be replayed is counted
    #[arg(long)]
    yes: bool,
    /// Do once more what was done to its end, from its beginning
    #[arg(long)]
    again: bool,
    /// The file that keeps how far it is; one of the user's own folder, by what is replayed, when left out
    #[arg(long, value_name = "FILE")]
    progress: Option<PathBuf>,
    /// Replay to this topic although it keeps only the last event of a key, or belongs to another service
    #[arg(long, value_name = "TOPIC")]
    force_topic: Vec<String>,
}

pub(super) async fn run(asked: Replay, out: &Output) -> Result<ExitCode> {
    let brokers = brokers()?;
    let to = asked.to_topic.clone().unwrap_or_else(|| asked.topic.clone());
    let target = target(&asked, &to, &brokers).await?;
    let job = Job { asked, brokers, target };
    let cluster = topics::cluster_id(&job.brokers).await;
    let cluster = cluster.map_err(|error| kafka_error(&job.brokers, error))?;
    let mut progress = Progress::open(job.asked.progress.as_deref(), &job.identity(&cluster))?;
    if progress.is_finished() && !job.asked.again {
        let Stored { sent, finished_at, .. } = progress.stored();
        let when = finished_at.as_deref().unwrap_or_default();
        out.line(format_args!("done already, at {when}: {sent} events; --again does it once more"));
        out.document(&json!({ "done_already": true, "at": finished_at, "events": sent }));
        return Ok(ExitCode::SUCCESS);
    }
    if progress.is_finished() || progress.stored().left.is_empty() {
        let Selection { since, until, .. } = &job.asked.selection;
        let millis = |instant: &Option<Instant>| instant.as_ref().map(Instant::millis);
        progress.begin(job.ranges()?, millis(since), millis(until));
    }
    match job.asked.yes {
        true => job.replay(progress, out),
        false => job.count(&progress, out),
    }
}

/// The topic that is written to, if it may be.
async fn target(asked: &Replay, to: &str, brokers: &str) -> Result<Target> {
    let names = [asked.topic.clone(), to.to_owned()];
    let found = topics::facts(brokers, &names).await;
    let found = found.map_err(|error| kafka_error(brokers, error))?;
    let find = |name: &str| {
        found.iter().find(|topic| topic.name == name).ok_or_else(|| {
            let hint = "`flotilla topics list` shows those that there are";
            coded(Exit::Missing, anyhow!("no topic is called {name}; {hint}"))
        })
    };
    let (source, target) = (find(&asked.topic)?, find(to)?);
    let is_compacted =
        target.settings.get("cleanup.policy").is_some_and(|policy| policy.contains("compact"));
    let writer = writer_of(to).filter(|_| to != asked.topic);
    let complaint = match (is_compacted, writer) {
        (true, _) => {
            Some("keeps only the last event of a key, which an older one would replace".to_owned())
        }
        (false, Some(service)) => Some(format!("belongs to {service}, which alone writes there")),
        (false, None) => None,
    };
    if let Some(complaint) = complaint.filter(|_| !asked.force_topic.iter().any(|f| f == to)) {
        let error = anyhow!("{to} {complaint}; --force-topic {to} insists");
        return Err(coded(Exit::Refused, error));
    }
    Ok(Target {
        topic: to.to_owned(),
        partitions: target.partitions.len() as i32,
        of_partitions: source.partitions.len() as i32,
        rate: asked.rate,
    })
}

/// A replay as it was asked for.
struct Job {
    asked: Replay,
    brokers: String,
    target: Target,
}

impl Job {
    /// What makes it the same replay, by the words that it was asked for with.
    fn identity(&self, cluster: &str) -> Value {
        let Selection { key, r#type, since, until } = &self.asked.selection;
        let text = |instant: &Option<Instant>| instant.as_ref().map(|instant| instant.text.clone());
        json!({ "cluster": cluster, "topic": self.asked.topic, "to_topic": self.target.topic, "key": key,
                "type": r#type, "since": text(since), "until": text(until) })
    }

    fn ranges(&self) -> Result<Ranges> {
        let Selection { since, until, .. } = &self.asked.selection;
        let from = since.as_ref().map_or(From::Beginning, |since| From::Time(since.millis()));
        let to = until.as_ref().map_or(To::End, |until| To::Time(until.millis()));
        let scope = Scope { from, to, partition: None };
        let tail = block_in_place(|| Tail::within(&self.brokers, &[&self.asked.topic], scope));
        Ok(tail.map_err(|error| unread(error, &self.brokers))?.ranges().clone())
    }

    /// Whether a record is meant, by the times that the replay began with.
    fn is_meant(&self, (since_ms, until_ms): (Option<i64>, Option<i64>), record: &Record) -> bool {
        self.asked.selection.is_of(record)
            && since_ms.is_none_or(|since| record.timestamp_ms >= since)
            && until_ms.is_none_or(|until| record.timestamp_ms < until)
    }

    /// What would be replayed.
    fn count(&self, progress: &Progress, out: &Output) -> Result<ExitCode> {
        let mut types: BTreeMap<String, u64> = BTreeMap::new();
        let (mut first, mut last): (Option<String>, Option<String>) = (None, None);
        let see = |record: Record| {
            if self.is_meant(progress.times(), &record) {
                let name = record.event_type().rsplit('.').next().unwrap_or_default();
                *types.entry(name.to_owned()).or_default() += 1;
                let time = Some(line::time(&record));
                first = first.take().map_or(time.clone(), |first| time.clone().min(Some(first)));
                last = last.take().max(time);
            }
        };
        let ranges = progress.ranges(&self.asked.topic);
        let seen = block_in_place(|| replay::each(&self.brokers, ranges, see));
        seen.map_err(|error| self.failed(error, progress))?;
        let (total, done) = (types.values().sum::<u64>(), progress.stored().sent);
        let (from, to) = (&self.asked.topic, &self.target.topic);
        for (name, count) in &types {
            out.line(format_args!("{count:>9} {name}"));
        }
        if let (Some(first), Some(last)) = (&first, &last) {
            out.line(format_args!("written between {first} and {last}"));
        }
        if done > 0 {
            out.line(format_args!("{done} more were replayed before it was interrupted"));
        }
        let takes = self.asked.rate.map(|rate| total.div_ceil(rate.into()));
        let takes = takes.map_or(String::new(), |seconds| format!(", which takes {seconds} s"));
        out.line(format_args!(
            "would replay {total} events of {from} to {to}{takes}; --yes does it"
        ));
        out.document(&json!({ "would": "replay", "topic": from, "to_topic": to, "events": total,
                              "replayed_before": done, "types": types, "first": first, "last": last }));
        Ok(ExitCode::SUCCESS)
    }

    fn replay(&self, mut progress: Progress, out: &Output) -> Result<ExitCode> {
        consent()?;
        let before = progress.stored().sent;
        if before > 0 {
            out.line(format_args!("goes on where it was: {before} events were replayed before"));
        }
        progress.keep()?;
        let stopped = stop_from_keyboard();
        let ranges = progress.ranges(&self.asked.topic);
        let began = progress.times();
        let wants = |record: &Record| self.is_meant(began, record);
        let sent = block_in_place(|| {
            replay::send(&self.brokers, ranges, &self.target, wants, |left, sent| {
                progress.advance(left, sent)?;
                Ok(!stopped.load(Relaxed))
            })
        });
        sent.map_err(|error| self.failed(error, &progress))?;
        let (all, file) = (progress.stored().sent, progress.file().display().to_string());
        let is_finished = !stopped.load(Relaxed) || progress.is_read();
        if is_finished {
            progress.finish()?;
            out.line(format_args!(
                "{all} events of {} are on {}",
                self.asked.topic, self.target.topic
            ));
        } else {
            out.line(format_args!(
                "interrupted after {all} events; the same command goes on there"
            ));
        }
        out.document(&json!({ "topic": self.asked.topic, "to_topic": self.target.topic, "events": all,
                              "replayed_before": before, "finished": is_finished, "progress": file }));
        Ok(if is_finished { ExitCode::SUCCESS } else { Exit::Interrupted.into() })
    }

    fn failed(&self, error: ReplayError, progress: &Progress) -> anyhow::Error {
        let error = match error {
            ReplayError::Tail(error) => unread(error, &self.brokers),
            ReplayError::Kafka(_) => coded(Exit::Away, error),
            ReplayError::Progress(_) => error.into(),
        };
        let sent = progress.stored().sent;
        error.context(format!("{sent} events are replayed, and the same command goes on there"))
    }
}

/// Whether somebody at the keyboard wants it to stop. What is under way is kept first; a second time ends it at once.
fn stop_from_keyboard() -> Arc<AtomicBool> {
    let stopped = Arc::new(AtomicBool::new(false));
    let stop = Arc::clone(&stopped);
    tokio::spawn(async move {
        while tokio::signal::ctrl_c().await.is_ok() {
            if stop.swap(true, Relaxed) {
                std::process::exit(Exit::Interrupted as i32);
            }
        }
    });
    stopped
}
