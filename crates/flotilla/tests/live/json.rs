//! What every command that needs no argument answers to programs, also those that somebody will add.

use std::fs::File;

use serde_json::Value;

use crate::help::Tree;
use crate::program::Fleet;

/// They tell what happens as it happens, a document on each line, or nothing but a script.
const AS_IT_HAPPENS: [&str; 6] =
    ["completions", "events publish", "events tail", "local demo", "local logs", "man"];
/// They end what the others look at.
const THE_END: [&str; 2] = ["local down", "local reset"];
/// The exit code of a command line that lacks something.
const USAGE: i32 = 2;

pub(crate) fn is_one_document_where_there_is_an_end(fleet: &Fleet) {
    let mut looked_at = 0;
    for path in Tree::read().commands() {
        if AS_IT_HAPPENS.contains(&path) || THE_END.contains(&path) {
            continue;
        }
        let said = fleet.run(&format!("--json {path}"));
        if said.code == USAGE {
            continue;
        }
        looked_at += 1;
        let text = if said.stdout.is_empty() { &said.stderr } else { &said.stdout };
        let document: Value = serde_json::from_str(text)
            .unwrap_or_else(|error| panic!("flotilla --json {path}: {error}:\n{text}"));
        assert!(document.is_object(), "one document that can grow: {path}: {document}");
        if said.code == 0 {
            other_formats_say_the_same(fleet, path, &document);
            a_full_disk_is_an_error(fleet, path);
        }
    }
    assert!(looked_at >= 10, "{looked_at}");
}

/// Each form by its own marks; that nothing is lost on the way shows where nothing changes meanwhile.
fn other_formats_say_the_same(fleet: &Fleet, path: &str, document: &Value) {
    let lines = fleet.ok(&format!("{path} -o jsonl")).documents();
    let lists = document.as_object().unwrap().values().filter_map(Value::as_array);
    let items: Vec<usize> = lists.map(Vec::len).collect();
    assert!(lines.len() == 1 || items.contains(&lines.len()), "{path}: {lines:?}");
    let yaml = fleet.ok(&format!("{path} --output yaml")).stdout;
    assert!(yaml.starts_with("---\n"), "{path}: {yaml}");
    for name in document.as_object().unwrap().keys() {
        let (plain, quoted) = (format!("\n{name}:"), format!("\n\"{name}\":"));
        assert!(yaml.contains(&plain) || yaml.contains(&quoted), "{path}: {name} in {yaml}");
    }
    fleet.ok(&format!("{path} -o wide"));
}

/// A script would go on with half an answer.
fn a_full_disk_is_an_error(fleet: &Fleet, path: &str) {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let said = fleet.command().args(path.split(' ')).arg("--json").stdout(full).output().unwrap();
    let complaint = String::from_utf8_lossy(&said.stderr);
    assert_eq!(said.status.code(), Some(1), "{path}: {complaint}");
    assert!(complaint.contains("cannot be written: No space left"), "{path}: {complaint}");
}
