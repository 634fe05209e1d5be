//! Keeps `src/generated.rs` equal to what the schemas say.

use std::path::Path;
use std::{env, fs};

use crate::codegen;

#[test]
fn the_generated_types_are_current() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/generated.rs");
    let wanted = codegen::generate();
    if env::var_os("UPDATE_GENERATED").is_some() {
        fs::write(&file, &wanted).unwrap();
    }
    assert!(
        fs::read_to_string(&file).unwrap() == wanted,
        "src/generated.rs is stale: run `UPDATE_GENERATED=1 cargo test -p events` and commit it"
    );
}
