//! `./x cluster`: the chart on a real Kubernetes node, claim by claim. A program and no test of the suite, as it takes
//! half an hour to build what a node consists of.

mod changes;
mod edges;
mod faults;
mod guide;
mod images;
mod install;
mod load;
mod node;
mod outside;
mod release;
mod run;
mod scaling;

use std::process::ExitCode;

use anyhow::{Context, Result};

use node::Tools;
use run::Run;

/// What is claimed, by parts that can be run alone.
const PARTS: [&str; 5] = ["edges", "changes", "faults", "scaling", "guide"];

#[tokio::main]
async fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let done = match args.as_slice() {
        [load, orders, sku, rate, is_patient] if load == load::ARGUMENT => {
            load::run(orders, sku, rate, is_patient).await
        }
        [] => see(&PARTS).await,
        [part] if PARTS.contains(&part.as_str()) => see(&[part]).await,
        _other => Err(anyhow::anyhow!(
            "run ./x cluster, or one part of it: ./x cluster {}",
            PARTS.join("|")
        )),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The claims of these parts.
async fn see(parts: &[&str]) -> Result<()> {
    let tools = Tools::from_env()?;
    let folder =
        std::env::var_os("CLUSTER_FOLDER").context("CLUSTER_FOLDER is not set: run ./x cluster")?;
    let folder = std::path::PathBuf::from(folder);
    // Each of them waits most of the time.
    let building = {
        let (folder, tools) = (folder.clone(), tools.clone());
        tokio::task::spawn_blocking(move || images::build(&folder, &tools))
    };
    let mut run = Run::start(&folder, tools).await?;
    for archive in building.await?? {
        run.node.import(&archive)?;
    }
    let before = install::everything(&run)?;
    let has = |part| parts.contains(&part);
    if parts != ["guide"] {
        install::claims(&run).await?;
    }
    if has("edges") {
        edges::claims(&run).await?;
    }
    if has("changes") {
        changes::claims(&run).await?;
    }
    if has("faults") {
        faults::claims(&run).await?;
    }
    if has("scaling") {
        scaling::claims(&run).await?;
    }
    if parts == PARTS {
        install::last_claims(&run, &before).await?;
        run.renew(&folder).await?;
    }
    if has("guide") {
        guide::claims(&run).await?;
    }
    Ok(())
}
