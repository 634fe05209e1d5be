//! The unprivileged user that replaces root where a server refuses to run as root.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

/// In this order: Debian's package of Postgres creates the first, every system has the second.
const NAMES: [&str; 2] = ["postgres", "nobody"];

/// May read and enter what only its owner may: number 2 in the kernel's list of capabilities.
const DAC_READ_SEARCH: u64 = 1 << 2;

/// Somebody else to run as.
#[derive(Debug, Clone, Copy)]
pub(crate) struct User {
    uid: u32,
    gid: u32,
    /// Whether it must pass through folders that are closed to it.
    passes: bool,
}

impl User {
    /// Who is to work in `folder`: nobody else, unless this process is root.
    pub(crate) fn for_folder(folder: &Path) -> Result<Option<Self>> {
        if fs::metadata("/proc/self")?.uid() != 0 {
            return Ok(None);
        }
        let users = fs::read_to_string("/etc/passwd").context("cannot read the list of users")?;
        let find = |name| users.lines().find_map(|line| parse(line, name));
        let (uid, gid) = NAMES.into_iter().find_map(find).context(
            "this is root, which Postgres refuses to be, and there is no other user: \
             useradd --system postgres",
        )?;
        let closed = folder.ancestors().find(|ancestor| !open_to_all(ancestor));
        if let Some(closed) = closed
            && !may_pass_it_on()
        {
            bail!(
                "Postgres must not run as root, and no other user can enter {}: set FLOTILLA_STATE to \
                 a folder elsewhere, for example /var/tmp/flotilla",
                closed.display()
            );
        }
        Ok(Some(User { uid, gid, passes: closed.is_some() }))
    }

    /// What `setpriv` has to change.
    pub(super) fn changes(&self) -> Vec<String> {
        let mut changes = vec![
            format!("--reuid={}", self.uid),
            format!("--regid={}", self.gid),
            "--clear-groups".to_owned(),
        ];
        if self.passes {
            // A checkout in root's own home should work too.
            changes.push("--inh-caps=+dac_read_search".to_owned());
            changes.push("--ambient-caps=+dac_read_search".to_owned());
        }
        changes
    }

    /// Gives a file or folder to this user.
    pub(crate) fn take(&self, path: &Path) -> Result<()> {
        chown(path, Some(self.uid), Some(self.gid))
            .with_context(|| format!("cannot give {} to user {}", path.display(), self.uid))
    }

    /// An errand of this user.
    pub(crate) fn errand(&self, program: &Path) -> Command {
        let mut command = Command::new("setpriv");
        command.args(self.changes()).args(["--pdeathsig", "KILL", "--"]).arg(program);
        command
    }
}

fn parse(line: &str, name: &str) -> Option<(u32, u32)> {
    let mut fields = line.split(':');
    if fields.next()? != name {
        return None;
    }
    let uid = fields.nth(1)?.parse().ok()?;
    Some((uid, fields.next()?.parse().ok()?))
}

/// What does not exist yet will be created open.
fn open_to_all(folder: &Path) -> bool {
    fs::metadata(folder).map_or(true, |found| found.permissions().mode() & 0o001 != 0)
}

/// Whether this process has the capability itself; root in a container usually does not.
fn may_pass_it_on() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let permitted = status.lines().find_map(|line| line.strip_prefix("CapPrm:"));
    let bits = permitted.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok());
    bits.is_some_and(|bits| bits & DAC_READ_SEARCH != 0)
}
