//! Runs a command with a set of servers: `with-servers FOLDER BASE_PORT COMMAND…`. The test programs of
//! one run share them through a variable; they die with this program.

use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};
use local::{Environment, Lifetime, Settings, silent, testing};

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let mut args = std::env::args_os().skip(1);
    let root = args.next().context("usage: with-servers FOLDER BASE_PORT COMMAND...")?;
    let base = args.next().and_then(|base| base.to_str()?.parse().ok());
    let base = base.context("the second argument is the first port")?;
    let program = args.next().context("the third argument is the command")?;
    let settings = Settings::new(Path::new(&root), base)?;
    let description = settings.root.join("servers");
    std::fs::write(&description, format!("{}\n{base}\n", settings.root.display()))?;
    let environment = Environment::new(settings, Lifetime::WithParent);
    // What a run that was killed left behind is of no use to this one.
    environment.reset(&silent).await?;
    environment.start(&silent).await?;
    let mut command = Command::new(program);
    command.args(args).env(testing::SHARED, description);
    let status = tokio::task::spawn_blocking(move || command.status()).await?;
    let status = status.context("cannot run the command")?;
    environment.stop(&silent).await?;
    Ok(match status.success() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}
