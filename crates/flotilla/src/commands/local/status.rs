//! What runs, where, and whether it does its work. Everything is asked in parallel: one process that hangs
//! costs its own deadline and nobody else's.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use futures::future::join_all;
use local::ServerStatus;
use serde_json::{Value, json};

use crate::commands::{Call, Http, fleet};
use crate::exit::Exit;
use crate::output::Output;
use flotilla::fleet::Fleet;

/// How long a service may take to say whether it is ready.
const PATIENCE: Duration = Duration::from_secs(2);

/// What a process does.
enum State {
    Down,
    Frozen,
    Silent,
    /// A service that says what it waits for.
    NotReady(Vec<String>),
    Up,
}

pub(super) async fn status(out: &Output) -> Result<ExitCode> {
    let fleet = fleet()?;
    let http = Http::new();
    let processes = fleet.environment().status();
    let states = join_all(processes.iter().map(|process| state(&fleet, &http, process))).await;
    let mut documents = Vec::new();
    for (process, state) in processes.iter().zip(&states) {
        let (word, reasons) = match state {
            State::Down => ("down", &[][..]),
            State::Frozen => ("frozen", &[][..]),
            State::Silent => ("silent", &[][..]),
            State::NotReady(reasons) => ("not ready", &reasons[..]),
            State::Up => ("up", &[][..]),
        };
        let ready = matches!(state, State::Up);
        let padded = format!("{word:10}");
        let shown = if ready { out.good(padded) } else { out.bad(padded) };
        let pid = process.pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string());
        out.line(format_args!("{:20} {shown} pid {pid:>8}  port {}", process.name, process.port));
        for reason in reasons {
            out.line(format_args!("{:20} waits for {reason}", ""));
        }
        if let (State::Frozen, Some(pid)) = (state, process.pid) {
            out.line(format_args!("{:20} a signal stopped it; kill -CONT {pid}", ""));
        }
        documents.push(json!({ "name": process.name, "ready": ready, "state": word,
                               "waits_for": reasons, "pid": process.pid, "port": process.port,
                               "log": process.log }));
    }
    out.list("processes", &json!({ "processes": documents }));
    let all_up = states.iter().all(|state| matches!(state, State::Up));
    Ok(if all_up { ExitCode::SUCCESS } else { Exit::Unknown.into() })
}

async fn state(fleet: &Fleet, http: &Http, process: &ServerStatus) -> State {
    if process.pid.is_none() {
        return State::Down;
    }
    if process.is_frozen {
        return State::Frozen;
    }
    if roster::find(&process.name).is_some() {
        return of_service(http, &fleet.admin_url(&process.name)).await;
    }
    match fleet.environment().answers(&process.name).await {
        true => State::Up,
        false => State::Silent,
    }
}

/// A service that is not ready says so with a status of its own, but still gives its reasons.
async fn of_service(http: &Http, admin: &str) -> State {
    let Ok(call) = Call::get(admin, &["readyz"]) else { return State::Silent };
    let asked = async { http.send(call).await.ok()?.json::<Value>().await.ok() };
    let Ok(Some(answer)) = tokio::time::timeout(PATIENCE, asked).await else {
        return State::Silent;
    };
    if answer["ready"] == true {
        return State::Up;
    }
    let reasons = answer["waits_for"].as_object().into_iter().flatten();
    let reason = |(part, why): (&String, &Value)| {
        format!("{part}: {}", why.as_str().unwrap_or("it does not say why"))
    };
    State::NotReady(reasons.map(reason).collect())
}
