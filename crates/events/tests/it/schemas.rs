//! The schema files as they lie in the repository, for every check that reads them.

use std::fs;
use std::path::{Path, PathBuf};

/// One file under `schemas/`.
pub(crate) struct SchemaFile {
    /// The folder: the service that owns the record.
    pub(crate) owner: String,
    /// The file's name without its ending.
    pub(crate) name: String,
    pub(crate) text: String,
}

/// Every schema file, by owner and name.
pub(crate) fn all() -> Vec<SchemaFile> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas");
    let mut files: Vec<PathBuf> = entries(&root).iter().flat_map(|owner| entries(owner)).collect();
    files.sort();
    let part = |name: Option<&std::ffi::OsStr>| name.unwrap().to_str().unwrap().to_owned();
    files
        .iter()
        .map(|file| {
            assert_eq!(part(file.extension()), "avsc", "{} is no schema", file.display());
            SchemaFile {
                owner: part(file.parent().unwrap().file_name()),
                name: part(file.file_stem()),
                text: fs::read_to_string(file).unwrap(),
            }
        })
        .collect()
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}
