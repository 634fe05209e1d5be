//! The schema files as they lie in the repository, for every check that reads them.

use std::fs;
use std::path::{Path, PathBuf};

/// Where the versions are kept that were released and have been superseded, like `OrderCompleted.1.avsc`.
const RELEASED: &str = "released";

/// One file under `schemas/`.
pub(crate) struct SchemaFile {
    /// The folder: the service that owns the record.
    pub(crate) owner: String,
    /// The file's name without its ending, and without the version that a superseded one has.
    pub(crate) name: String,
    pub(crate) text: String,
}

/// Every schema of today, by owner and name.
pub(crate) fn all() -> Vec<SchemaFile> {
    files_in(&root())
}

/// Every superseded version of one.
pub(crate) fn released() -> Vec<SchemaFile> {
    files_in(&root().join(RELEASED))
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas")
}

fn files_in(folder: &Path) -> Vec<SchemaFile> {
    let owners = entries(folder).into_iter().filter(|owner| !owner.ends_with(RELEASED));
    let mut files: Vec<PathBuf> = owners.flat_map(|owner| entries(&owner)).collect();
    files.sort();
    let part = |name: Option<&std::ffi::OsStr>| name.unwrap().to_str().unwrap().to_owned();
    files
        .iter()
        .map(|file| {
            assert_eq!(part(file.extension()), "avsc", "{} is no schema", file.display());
            SchemaFile {
                owner: part(file.parent().unwrap().file_name()),
                name: part(file.file_stem()).split('.').next().unwrap().to_owned(),
                text: fs::read_to_string(file).unwrap(),
            }
        })
        .collect()
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}
