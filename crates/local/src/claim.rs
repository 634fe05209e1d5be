//! Whose turn it is in a folder: a lock that ends with its holder, even if that is killed.

use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::process::until;

/// Held until it is dropped.
#[derive(Debug)]
pub struct Claim(#[expect(dead_code, reason = "the lock ends when the file closes")] File);

impl Claim {
    /// The claim of that name on a folder, unless somebody holds it.
    pub(crate) fn try_take(folder: &Path, name: &str) -> Result<Option<Self>> {
        fs::create_dir_all(folder)?;
        let path = folder.join(format!("{name}.lock"));
        let file = File::options().create(true).append(true).open(&path);
        let file = file.with_context(|| format!("cannot open {}", path.display()))?;
        Ok(file.try_lock().is_ok().then(|| Claim(file)))
    }

    /// The claim of that name, once its holder has released it.
    pub(crate) async fn take(folder: &Path, name: &str, patience: Duration) -> Result<Self> {
        let mut taken = Claim::try_take(folder, name)?;
        until(patience, || {
            taken = taken.take().or_else(|| Claim::try_take(folder, name).ok().flatten());
            taken.is_some()
        })
        .await;
        taken.with_context(|| {
            format!("another command works in {}; try again later", folder.display())
        })
    }
}
