//! What is downloaded once per user and shared by every environment: Kafka, the registry, and a Java
//! where the machine has none that is new enough.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// The folder of downloads: `FLOTILLA_CACHE`, else the user's cache folder.
pub(crate) fn folder() -> Result<PathBuf> {
    let folder = match (std::env::var_os("FLOTILLA_CACHE"), std::env::var_os("XDG_CACHE_HOME")) {
        (Some(folder), _) => PathBuf::from(folder),
        (None, Some(cache)) => PathBuf::from(cache).join("flotilla"),
        (None, None) => {
            let home = std::env::var_os("HOME").context("HOME is not set; set FLOTILLA_CACHE")?;
            PathBuf::from(home).join(".cache/flotilla")
        }
    };
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    Ok(folder)
}

/// A folder in the cache that `make` fills. Filled beside its place and then moved there, so that a
/// download that was cut off is never taken for a whole one, nor two at once for each other's.
pub(crate) fn once(name: &str, make: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
    let cache = folder()?;
    let place = cache.join(name);
    if place.exists() {
        return Ok(place);
    }
    let unfinished = cache.join(format!("{name}.{}", std::process::id()));
    fs::create_dir_all(&unfinished)?;
    let made = make(&unfinished);
    if made.is_ok() && fs::rename(&unfinished, &place).is_ok() {
        return Ok(place);
    }
    fs::remove_dir_all(&unfinished).ok();
    made?;
    // Somebody else was faster.
    if place.exists() { Ok(place) } else { bail!("cannot move a download to {}", place.display()) }
}

/// Runs Maven quietly.
pub(crate) fn maven(what: &str, args: &[String]) -> Result<()> {
    let output = Command::new("mvn")
        .args(["--batch-mode", "--quiet", "--no-transfer-progress"])
        .args(args)
        .output()
        .context("cannot run mvn: install Maven (apt-get install maven)")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stdout);
        let said: String = said.lines().take(6).collect::<Vec<_>>().join("\n");
        bail!(
            "cannot download {what} with Maven; check the network and try again. Maven said:\n{said}"
        );
    }
    Ok(())
}
