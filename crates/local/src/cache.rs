//! What is downloaded once per user and shared by every environment: Kafka, the registry, and a Java
//! if the machine has none that is new enough.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::process::surroundings::NO_PROGRAM;
use crate::process::{pid_lives, surroundings};

/// The folder of downloads: `FLOTILLA_CACHE`, else the user's cache folder.
pub(crate) fn folder() -> Result<PathBuf> {
    // A relative path would be another folder in every working directory.
    let absolute = |folder: PathBuf| std::path::absolute(&folder);
    let of_user = || surroundings::variable("XDG_CACHE_HOME").map(PathBuf::from);
    let of_user = of_user().filter(|folder| folder.is_absolute());
    let folder = match (surroundings::variable("FLOTILLA_CACHE"), of_user) {
        (Some(folder), _) => absolute(folder.into())?,
        (None, Some(cache)) => cache.join("flotilla"),
        (None, None) => {
            let home = std::env::home_dir().filter(|home| home.is_absolute());
            let home = home.context("this user has no home folder; set FLOTILLA_CACHE")?;
            home.join(".cache/flotilla")
        }
    };
    if folder.to_str().is_none_or(|folder| folder.contains(':')) {
        bail!(
            "{} must be UTF-8 without a colon, which to Java ends a folder's name: set FLOTILLA_CACHE \
             to another folder",
            folder.display()
        );
    }
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    Ok(folder)
}

/// The place of something in the cache, when it is there.
pub(crate) fn find(name: &str) -> Result<Option<PathBuf>> {
    let place = folder()?.join(name);
    Ok(place.exists().then_some(place))
}

/// A folder in the cache that `make` fills. Filled next to its place and then moved there, so that an
/// interrupted download is never taken for a whole one, nor are two at once mixed up.
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

/// Removes what killed downloads left.
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
    let output = surroundings::errand("mvn")
        .args(["--batch-mode", "--quiet", "--no-transfer-progress", "--strict-checksums"])
        .arg(format!("org.apache.maven.plugins:maven-dependency-plugin:3.8.1:{goal}"))
        .args(args)
        .output()
        .context("cannot run setpriv: apt-get install util-linux")?;
    if output.status.code() == Some(NO_PROGRAM) {
        bail!("cannot download {what}: there is no mvn; apt-get install maven");
    }
    if !output.status.success() {
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        let said: String = said.lines().take(6).collect::<Vec<_>>().join("\n");
        bail!(
            "cannot download {what} with Maven; check the network (and the proxy in \
             ~/.m2/settings.xml) and try again. Maven said:\n{said}"
        );
    }
    Ok(())
}
