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

/// The program of this name in a folder, or an error that says how to build it.
pub(super) fn program(programs: &Path, name: &str) -> Result<PathBuf> {
    let program = programs.join(name);
    if !program.exists() {
        bail!(
            "there is no program {}; build it: cargo build --profile {} --workspace --bins",
            program.display(),
            profile_of(programs)
        );
    }
    Ok(program)
}

/// The profile that cargo builds into a folder: its name, with one exception.
fn profile_of(programs: &Path) -> &str {
    match programs.file_name().and_then(|name| name.to_str()) {
        Some(profile) if profile != "debug" => profile,
        _development => "dev",
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
