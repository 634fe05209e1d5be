//! Runs a command with a set of servers that its test programs share: `with-servers FOLDER COMMAND…`.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use local::testing;

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let mut args = std::env::args_os().skip(1);
    let root = args.next().context("usage: with-servers FOLDER COMMAND...")?;
    let program = args.next().context("the second argument is the command")?;
    let status = testing::share(Path::new(&root), program, args.collect()).await?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
