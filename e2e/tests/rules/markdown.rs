//! Documents agree with what is there: every link leads to a file, every document is in the book, and the runbook names
//! every part that `/readyz` can name. Links within the built book are checked by `./x docs`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

#[test]
fn every_link_of_a_document_leads_to_a_file() {
    let mut links = 0;
    for document in documents() {
        let text = fs::read_to_string(&document).unwrap();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if target.contains("://") || target.starts_with('#') {
                continue;
            }
            links += 1;
            let file = document.parent().unwrap().join(target.split('#').next().unwrap());
            assert!(file.exists(), "{}: {target} leads nowhere", document.display());
        }
    }
    assert!(links > 30, "only {links} links were found");
}

#[test]
fn every_document_is_in_the_table_of_contents_of_the_book() {
    let summary = fs::read_to_string(root().join("docs/SUMMARY.md")).unwrap();
    let docs = root().join("docs");
    let listed = summary.split("](").skip(1).map(|rest| rest.split(')').next().unwrap());
    let listed: BTreeSet<PathBuf> =
        listed.map(|link| docs.join(link).canonicalize().unwrap()).collect();
    for document in documents() {
        let is_table = document.ends_with("SUMMARY.md");
        let is_listed = listed.contains(&document.canonicalize().unwrap());
        assert!(is_table || is_listed, "docs/SUMMARY.md does not name {}", document.display());
    }
}

#[test]
fn the_runbook_says_what_to_do_about_every_part_that_readyz_names() {
    let runbook = fs::read_to_string(root().join("docs/runbook.md")).unwrap();
    let parts = parts_named_in(&root().join("crates/chassis/src"));
    assert!(parts.len() > 8, "{parts:?}");
    for part in parts {
        assert!(runbook.contains(&format!("| `{part}` |")), "docs/runbook.md: no row for {part}");
    }
}

/// The documents at the top, in `docs`, and beside the recorded sagas.
fn documents() -> Vec<PathBuf> {
    let folders = ["", "docs", "docs/events", "fixtures/sagas", "examples/clients"];
    let folders = folders.map(|folder| root().join(folder));
    let files = folders.iter().flat_map(|folder| fs::read_dir(folder).unwrap());
    let files = files.map(|entry| entry.unwrap().path());
    files.filter(|file| file.extension().is_some_and(|extension| extension == "md")).collect()
}

/// The first argument of every call that makes a part wait, where it stands there as a text.
fn parts_named_in(folder: &Path) -> BTreeSet<String> {
    let mut parts = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            parts.append(&mut parts_named_in(&entry));
            continue;
        }
        let text = fs::read_to_string(&entry).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap();
        for call in ["waits_for(", "blocked("] {
            for argument in code.split(call).skip(1) {
                let Some(name) = argument.trim_start().strip_prefix('"') else { continue };
                parts.insert(name.split('"').next().unwrap().to_owned());
            }
        }
    }
    parts
}
