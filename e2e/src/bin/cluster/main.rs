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
        [] => all().await,
        _other => Err(anyhow::anyhow!("this program takes no arguments: run ./x cluster")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn all() -> Result<()> {
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
    run.claim(
        "helm install --wait, into a namespace that enforces the restricted Pod Security Standard",
        install::install,
    )
    .await?;
    run.claim(
        "the commands that the chart prints: helm test, and a first order that is completed",
        install::first_order,
    )
    .await?;
    run.claim("an order that cannot be delivered is compensated", install::compensated_order)
        .await?;
    run.claim(
        "an upgrade that changes nothing replaces no pod and runs no Job",
        install::nothing_changes,
    )
    .await?;
    run.claim(
        "NetworkPolicies: a service reaches what is named and nothing else",
        edges::out_of_a_service,
    )
    .await?;
    run.claim(
        "NetworkPolicies: a service is reached by whom is named and nobody else",
        edges::into_a_service,
    )
    .await?;
    run.claim(
        "helm upgrade to a version with a changed schema, one replica each",
        changes::upgrade,
    )
    .await?;
    run.claim("helm rollback from it", changes::rollback).await?;
    run.claim("a changed setting replaces the pods", changes::setting).await?;
    run.claim("migrations.mode job: no pod sees the owner's Secret", changes::migrations_by_a_job)
        .await?;
    run.claim("1, 3 and again 1 replicas of every service", changes::scale).await?;
    run.claim("a drain of the node, two replicas each: the budget keeps one", faults::drain)
        .await?;
    run.claim("the processes of payment, inventory and shipping killed", faults::kill).await?;
    run.claim("shipping out of memory", faults::out_of_memory).await?;
    run.claim(
        "an upgrade that does not come up, and helm rollback from it",
        faults::broken_upgrade,
    )
    .await?;
    run.claim("helm uninstall leaves nothing", async |run| install::uninstall(run, &before).await)
        .await?;
    run.claim(
        "the API server takes everything by operators: Strimzi, KEDA, CloudNativePG and the others",
        install::accepted,
    )
    .await?;
    run.renew(&folder).await?;
    guide::prepare(&run)?;
    run.claim("the guide: CloudNativePG's operator", guide::operator).await?;
    run.claim(
        "the guide: Secrets, helm install on databases of two servers each, helm test",
        guide::install,
    )
    .await?;
    run.claim("the primary of order's database deleted", guide::failover).await?;
    run.claim("the guide: scaling", guide::scale).await?;
    run.claim("the guide: upgrading", guide::upgrade).await?;
    run.claim("the guide: rolling back", guide::rollback).await?;
    run.claim("the guide: rotating a password; the old one is refused", guide::rotate).await?;
    run.claim(
        "the guide: uninstalling keeps the databases, and installing finds them",
        guide::kept,
    )
    .await?;
    run.claim("the guide: deleting the data", guide::gone).await?;
    Ok(())
}
