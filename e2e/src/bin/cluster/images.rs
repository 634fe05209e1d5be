//! The images that run on the node: those of this version and of the next one.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::changes::{NEXT, THIS};
use crate::node::{Tools, root, said};

/// Builds those that are not in the folder yet; returns their archives. `CLUSTER_PROGRAMS` and `CLUSTER_NEXT` are the
/// folders with the programs.
pub(crate) fn build(folder: &Path, tools: &Tools) -> Result<Vec<PathBuf>> {
    let mut archives = Vec::new();
    for (variable, tag) in [("CLUSTER_PROGRAMS", THIS), ("CLUSTER_NEXT", NEXT)] {
        let programs = std::env::var(variable)
            .with_context(|| format!("{variable} is not set: run ./x cluster"))?;
        let archive = folder.join(format!("{tag}.tar"));
        make(&["fleet", &programs, tag], &archive, tools)?;
        archives.push(archive);
    }
    let archive = folder.join("postgres.tar");
    make(&["postgres"], &archive, tools)?;
    archives.push(archive);
    Ok(archives)
}

fn make(what: &[&str], archive: &Path, tools: &Tools) -> Result<()> {
    if archive.exists() {
        return Ok(());
    }
    let mut images = Command::new(root().join("e2e/cluster/images"));
    said(images.args(what).arg(archive).env("TOOLS", &tools.images))?;
    Ok(())
}
