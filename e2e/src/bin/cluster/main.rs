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

#[tokio::main]
async fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let done = match args.as_slice() {
        [load, orders, sku, rate, is_patient] if load == load::ARGUMENT => {
            load::run(orders, sku, rate, is_patient).await
        }
        [] => see(true).await,
        [guide] if guide == "guide" => see(false).await,
        _other => Err(anyhow::anyhow!("run ./x cluster, or ./x cluster guide for the guide alone")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// All claims, or those of the guide alone.
async fn see(all: bool) -> Result<()> {
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
    if all {
        let before = install::everything(&run)?;
        install::claims(&run).await?;
        edges::claims(&run).await?;
        changes::claims(&run).await?;
        faults::claims(&run).await?;
        scaling::claims(&run).await?;
        install::last_claims(&run, &before).await?;
        run.renew(&folder).await?;
    }
    guide::claims(&run).await
}
