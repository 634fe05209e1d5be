//! `flotilla ready`: whether services are ready, by their admin addresses, whichever services these are. Separate from
//! `local status`, which is about the processes of this machine.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;
use futures::future::join_all;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{Call, Http, IS_IT_UP, admin_url, services, text};
use crate::output::Output;

/// How long a service may take to say whether it is ready.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often they are asked again, where somebody waits for them.
const ASK_EVERY: Duration = Duration::from_millis(500);

#[derive(Args)]
pub(crate) struct Ready {
    /// Admin addresses, such as http://order:9090; without any, those of the fleet's services
    #[arg(value_name = "ADDRESS")]
    addresses: Vec<String>,
    /// Ask again until all are ready, for at most so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    within: u64,
}

/// All are asked, side by side, so that whoever reads the answer sees everything that is wrong.
pub(crate) async fn run(asked: Ready, out: &Output) -> Result<ExitCode> {
    let latest = Instant::now() + Duration::from_secs(asked.within);
    // Whoever gives addresses asks about services that this machine's `flotilla local` knows nothing of.
    let hint = format!("; {IS_IT_UP}");
    let foreign = !asked.addresses.is_empty();
    let addresses = match asked.addresses {
        none if none.is_empty() => {
            services()?.into_iter().map(admin_url).collect::<Result<Vec<_>>>()?
        }
        given => given,
    };
    let http = Http::new();
    let answers = loop {
        let answers = join_all(addresses.iter().map(|address| waits_for(&http, address))).await;
        let are_ready = answers.iter().all(|answer| matches!(answer, Ok(None)));
        if are_ready || Instant::now() >= latest {
            break answers;
        }
        tokio::time::sleep(ASK_EVERY).await;
    };
    let mut documents = Vec::new();
    let mut are_ready = true;
    for (address, answer) in addresses.iter().zip(answers) {
        let reasons = answer.unwrap_or_else(|error| {
            let reason = format!("{error:#}");
            let plain = reason.strip_suffix(&hint).filter(|_| foreign);
            Some(vec![plain.unwrap_or(&reason).to_owned()])
        });
        let ready = reasons.is_none();
        are_ready &= ready;
        let reasons = reasons.unwrap_or_default();
        let verdict = if ready { out.good("ready") } else { out.bad("not ready") };
        out.line(format_args!("{address:40} {verdict}"));
        reasons.iter().for_each(|reason| out.line(format_args!("{:40} {reason}", "")));
        documents.push(json!({ "address": address, "ready": ready, "waits_for": reasons }));
    }
    out.document(&json!({ "services": documents }));
    Ok(if are_ready { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Nothing if the service is ready; otherwise what it says it waits for.
async fn waits_for(http: &Http, address: &str) -> Result<Option<Vec<String>>> {
    let call = Call::get(address, &["readyz"])?;
    let asked = async {
        let response = http.send(call).await?;
        let status = response.status();
        Ok::<_, anyhow::Error>((status, response.text().await.context("the answer was cut off")?))
    };
    let Ok(answer) = timeout(PATIENCE, asked).await else {
        bail!("no answer within {} s; {IS_IT_UP}", PATIENCE.as_secs());
    };
    let (status, body) = answer?;
    if status.is_success() {
        return Ok(None);
    }
    let body: Value = serde_json::from_str(&body).unwrap_or_default();
    let parts = body["waits_for"].as_object().into_iter().flatten();
    let reasons: Vec<_> = parts.map(|(part, reason)| format!("{part}: {}", text(reason))).collect();
    Ok(Some(if reasons.is_empty() { vec![format!("it answers {status}")] } else { reasons }))
}
