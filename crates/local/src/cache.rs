//! What is downloaded once per user and shared by every environment: Kafka, the registry, and a Java
//! where the machine has none that is new enough.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process::pid_lives;

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

/// The place of something in the cache, when it is there.
pub(crate) fn find(name: &str) -> Result<Option<PathBuf>> {
    let place = folder()?.join(name);
    Ok(place.exists().then_some(place))
}

/// A folder in the cache that `make` fills. Filled beside its place and then moved there, so that a
/// download that was cut off is never taken for a whole one, nor two at once for each other's.
pub(crate) fn once(name: &str, make: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
    if let Some(place) = find(name)? {
        return Ok(place);
    }
    let cache = folder()?;
    remove_unfinished(&cache);
    let place = cache.join(name);
    let unfinished = cache.join(format!("{name}.unfinished-{}", std::process::id()));
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

/// Removes what downloads left that were killed.
fn remove_unfinished(cache: &Path) {
    for entry in fs::read_dir(cache).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let pid = name.to_str().and_then(|name| name.rsplit_once(".unfinished-")?.1.parse().ok());
        if pid.is_some_and(|pid| !pid_lives(pid)) {
            fs::remove_dir_all(entry.path()).ok();
        }
    }
}

/// Runs a goal of Maven's dependency plugin quietly; a download whose checksum is wrong fails.
pub(crate) fn maven(what: &str, goal: &str, args: &[String]) -> Result<()> {
    let output = Command::new("mvn")
        .args(["--batch-mode", "--quiet", "--no-transfer-progress", "--strict-checksums"])
        .arg(format!("org.apache.maven.plugins:maven-dependency-plugin:3.8.1:{goal}"))
        .args(args)
        .output()
        .context("cannot run mvn: apt-get install maven")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stdout);
        let said: String = said.lines().take(6).collect::<Vec<_>>().join("\n");
        bail!(
            "cannot download {what} with Maven; check the network (and the proxy in \
             ~/.m2/settings.xml) and try again. Maven said:\n{said}"
        );
    }
    Ok(())
}
