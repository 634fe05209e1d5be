//! Turns the schemas into `src/generated.rs`. Part of the tests because nothing else runs it: the
//! crate is built without a code generator, and the test beside it fails when the file is stale.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use rsgen_avro::{Generator, Source};

use crate::schemas;

const HEADER: &str = "\
//! Generated from `schemas/`, do not edit: change a schema, then run the tests of this crate with
//! `UPDATE_GENERATED=1`. Kept apart from all handwritten code for that reason.

use serde::{Deserialize, Serialize};

use crate::{Currency, OrderId, Sku};
";

/// What the generator writes, and what we want instead. It knows the schemas' types only, so the
/// ids and the currency get their own types here.
const REPLACEMENTS: &[(&str, &str)] = &[
    ("pub order_id: apache_avro::Uuid,", "pub order_id: OrderId,"),
    ("pub sku: String,", "pub sku: Sku,"),
    ("pub currency: String,", "pub currency: Currency,"),
    ("apache_avro::Uuid", "uuid::Uuid"),
    ("serde::Deserialize, serde::Serialize", "Deserialize, Serialize"),
];

/// The text that `src/generated.rs` should have.
pub(crate) fn generate() -> String {
    let generator = Generator::new().unwrap();
    let mut code = HEADER.to_owned();
    for schema in schemas::all() {
        let mut types = Vec::new();
        generator.generate(&Source::SchemaStr(&schema.text), &mut types).unwrap();
        code.push_str(&String::from_utf8(types).unwrap());
    }
    for (theirs, ours) in REPLACEMENTS {
        assert!(code.contains(theirs), "the generator no longer writes {theirs:?}");
        code = code.replace(theirs, ours);
    }
    format(&code)
}

fn format(code: &str) -> String {
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rustfmt.toml");
    let mut rustfmt = Command::new("rustfmt")
        .args(["--edition", "2024", "--config-path"])
        .arg(config)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("rustfmt is part of the toolchain that rust-toolchain.toml names");
    // rustfmt reads all of its input before it writes, so neither side can wait for the other.
    rustfmt.stdin.take().unwrap().write_all(code.as_bytes()).unwrap();
    let output = rustfmt.wait_with_output().unwrap();
    assert!(output.status.success(), "rustfmt refused the generated code");
    String::from_utf8(output.stdout).unwrap()
}
