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
use crate::exit::Exit;
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
    /// Ask again until all are ready, for at most this many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    within: u64,
}

/// Who is asked.
enum Asked {
    Address(String),
    /// A service of the fleet, wherever it is once it runs.
    Service(&'static str),
}

impl Asked {
    fn address(&self) -> Result<String> {
        match self {
            Asked::Address(address) => Ok(address.clone()),
            Asked::Service(service) => admin_url(service),
        }
    }

    /// How it is called while nobody knows where it is.
    fn name(&self) -> &str {
        match self {
            Asked::Address(address) => address,
            Asked::Service(service) => service,
        }
    }
}

/// All are asked, side by side, so that whoever reads the answer sees everything that is wrong.
pub(crate) async fn run(asked: Ready, out: &Output) -> Result<ExitCode> {
    let latest = Instant::now() + Duration::from_secs(asked.within);
    let all: Vec<Asked> = match asked.addresses {
        none if none.is_empty() => services()?.into_iter().map(Asked::Service).collect(),
        given => given.into_iter().map(Asked::Address).collect(),
    };
    let http = Http::new();
    let (answers, are_ready) = loop {
        let answers = join_all(all.iter().map(|one| waits_for(&http, one))).await;
        let are_ready = answers.iter().all(Vec::is_empty);
        if are_ready || Instant::now() >= latest {
            break (answers, are_ready);
        }
        tokio::time::sleep(ASK_EVERY).await;
    };
    let mut documents = Vec::new();
    for (one, reasons) in all.iter().zip(answers) {
        let ready = reasons.is_empty();
        let address = one.address().ok();
        let verdict = if ready { out.good("ready") } else { out.bad("not ready") };
        out.line(format_args!("{:40} {verdict}", address.as_deref().unwrap_or(one.name())));
        reasons.iter().for_each(|reason| out.line(format_args!("{:40} {reason}", "")));
        documents.push(json!({ "address": address, "ready": ready, "waits_for": reasons }));
    }
    out.list("services", &json!({ "services": documents }));
    Ok(if are_ready { ExitCode::SUCCESS } else { Exit::No.into() })
}

/// What a service says it waits for, or why it does not say; nothing if it is ready.
async fn waits_for(http: &Http, asked: &Asked) -> Vec<String> {
    ask(http, asked).await.unwrap_or_else(|error| {
        let reason = format!("{error:#}");
        let hint = format!("; {IS_IT_UP}");
        // Whoever gave an address may have no fleet on this machine.
        let plain = match asked {
            Asked::Address(_) => reason.strip_suffix(&hint),
            Asked::Service(_) => None,
        };
        vec![plain.unwrap_or(&reason).to_owned()]
    })
}

async fn ask(http: &Http, asked: &Asked) -> Result<Vec<String>> {
    let call = Call::get(&asked.address()?, &["readyz"])?;
    let answered = async {
        let response = http.send(call).await?;
        let status = response.status();
        Ok::<_, anyhow::Error>((status, response.text().await.context("the answer was cut off")?))
    };
    let Ok(answer) = timeout(PATIENCE, answered).await else {
        bail!("no answer within {} s; {IS_IT_UP}", PATIENCE.as_secs());
    };
    let (status, body) = answer?;
    if status.is_success() {
        return Ok(Vec::new());
    }
    let body: Value = serde_json::from_str(&body).unwrap_or_default();
    let parts = body["waits_for"].as_object().into_iter().flatten();
    let reasons: Vec<_> = parts.map(|(part, reason)| format!("{part}: {}", text(reason))).collect();
    Ok(if reasons.is_empty() { vec![format!("it answers {status}")] } else { reasons })
}
