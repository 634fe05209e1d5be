//! The settings of a fleet.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use local::{Lifetime, Settings};

/// Whom the services call outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Providers {
    /// Their in-process adapters.
    InProcess,
    /// The sandbox, a program of its own, over HTTP.
    Sandbox,
}

/// The settings of a fleet.
#[derive(Debug, Clone)]
pub struct FleetSettings {
    /// Folder and ports.
    pub settings: Settings,
    /// How long its processes live.
    pub lifetime: Lifetime,
    /// Whom the services call outside.
    pub providers: Providers,
    /// Partitions of each topic. Few: the broker's cost is per request and partition.
    pub partitions: i32,
    /// The folder with the programs of the services.
    pub programs: PathBuf,
    /// Additional variables of every service.
    pub variables: Vec<(String, String)>,
}

impl FleetSettings {
    /// A fleet with these settings, and the programs in the folder of this one.
    pub fn new(settings: Settings, lifetime: Lifetime) -> Result<Self> {
        Ok(FleetSettings {
            settings,
            lifetime,
            providers: Providers::Sandbox,
            partitions: 3,
            programs: programs()?,
            variables: Vec::new(),
        })
    }
}

/// A program of this name in a folder, or an error that says where it should be.
pub(super) fn program(programs: &Path, name: &str) -> Result<PathBuf> {
    let program = programs.join(name);
    if program.exists() {
        return Ok(program);
    }
    match profile_of(programs) {
        Some(profile) => bail!(
            "there is no program {}; build it: cargo build --profile {profile} --workspace --bins",
            program.display()
        ),
        None => bail!(
            "there is no program {}; the services' programs belong beside flotilla",
            program.display()
        ),
    }
}

/// The profile that cargo builds into a folder: its name, but for one. `None` where cargo builds nothing.
fn profile_of(programs: &Path) -> Option<&str> {
    match programs.file_name()?.to_str()? {
        "debug" => Some("dev"),
        profile @ ("demo" | "release" | "dist") => Some(profile),
        _elsewhere => None,
    }
}

/// The folder of programs that this one was built with. Tests are one folder deeper.
pub fn programs() -> Result<PathBuf> {
    let mut folder = std::env::current_exe()?;
    folder.pop();
    if folder.ends_with("deps") {
        folder.pop();
    }
    Ok(folder)
}
