//! Files that are written from others, and are kept current by tests.

use std::path::Path;

/// That a file of the repository says this. With `UPDATE_GENERATED` it is written instead.
pub(crate) fn is_current(name: &str, current: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name);
    if std::fs::read_to_string(&file).unwrap_or_default() == current {
        return;
    }
    if std::env::var_os("UPDATE_GENERATED").is_some() {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        return std::fs::write(&file, current).unwrap();
    }
    panic!("{name} is stale: UPDATE_GENERATED=1 cargo test -p e2e --test platform");
}
