//! `--json` of every command that needs no argument, also of those that somebody will add.

use serde_json::Value;

use crate::help::Tree;
use crate::program::Fleet;

/// They tell what happens as it happens, a document on each line, or nothing but a script.
const AS_IT_HAPPENS: [&str; 4] = ["completions", "events tail", "local demo", "local logs"];
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
    }
    assert!(looked_at >= 10, "{looked_at}");
}
