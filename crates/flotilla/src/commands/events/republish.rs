//! `flotilla events republish`: gives a topic that lost its log what its service still has in its outbox.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::{Value, json};

use crate::commands::http::{Call, Http};
use crate::context::consent;
use crate::output::Output;

/// How often the service is asked for its progress.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long a service may make no progress: the topic may not exist yet, and is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Args)]
pub(crate) struct Republish {
    /// The topic, such as order.events
    topic: String,
    /// How far back to go, in minutes; all that is kept when left out
    #[arg(long)]
    minutes: Option<u32>,
    /// Return as soon as the service has taken the request, without waiting for the end
    #[arg(long)]
    no_wait: bool,
}

pub(crate) async fn run(command: Republish, out: &Output) -> Result<ExitCode> {
    consent()?;
    let Republish { topic, minutes, no_wait } = command;
    let service = topic.split('.').next().unwrap_or_default();
    let base = crate::commands::admin_url(service)
        .with_context(|| format!("nobody publishes to {topic}: a topic begins with its service"))?;
    let http = Http::new();
    let before = http.ask(Call::get(&base, &["outbox"])?).await?;
    let call = Call::post(&base, &["outbox", "republish"])?;
    let taken = http.ask(call.json(&json!({ "topic": topic, "minutes": minutes }))).await?;
    if taken["batches"] == 0 {
        bail!(
            "{service} keeps nothing of {topic} of that time: FLOTILLA_OUTBOX_KEEP_MINUTES says how long \
             it keeps what it published"
        );
    }
    let since = before["kept_since"].as_str().unwrap_or("now").to_owned();
    let batches = &taken["batches"];
    out.line(format_args!(
        "{service} publishes {topic} again: {batches} batches, kept since {since}"
    ));
    if !no_wait {
        wait(&http, &base, &topic).await?;
        out.line(format_args!("{topic} has them all"));
    }
    out.document(
        &json!({ "topic": topic, "batches": batches, "kept_since": before["kept_since"] }),
    );
    Ok(ExitCode::SUCCESS)
}

/// Waits until nothing of the topic waits any more.
async fn wait(http: &Http, base: &str, topic: &str) -> Result<()> {
    let mut seen = Value::Null;
    let mut still = Duration::ZERO;
    loop {
        let outbox = http.ask(Call::get(base, &["outbox"])?).await?;
        let of = |list: &str| {
            let all = outbox[list].as_array().into_iter().flatten();
            all.filter(|one| one["topic"] == topic).cloned().collect::<Vec<_>>()
        };
        let waits = json!([of("republishing"), of("set_apart")]);
        if waits == json!([[], []]) {
            return Ok(());
        }
        still = if waits == seen { still + LOOK_EVERY } else { Duration::ZERO };
        if still >= PATIENCE {
            bail!(
                "{topic} gets none of it: {waits}. It goes on by itself as soon as Kafka takes it; does \
                 the topic exist? `flotilla topics apply` creates it"
            );
        }
        seen = waits;
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
