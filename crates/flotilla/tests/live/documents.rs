//! What documents, messages and the demo tell people to run.

use std::path::{Path, PathBuf};

use crate::help::Tree;
use crate::program::{Fleet, said, until};
use crate::script::{Clone, root};

/// Folders whose texts tell people to run something.
const TOLD_IN: [&str; 5] = [".", "docs", "crates", "services", "bench/src"];
/// Commands of the README that are not run here, and why.
const ELSEWHERE: [(&str, &str); 2] =
    [("./x test", "it runs this test"), ("./x down", "local.rs ends the fleet with it")];

/// Every command in the README's blocks is run as it stands there, in a folder that looks like a built
/// clone.
pub(crate) fn are_true(fleet: &Fleet) {
    let clone = Clone::built(fleet);
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let commands = commands_of(&readme);
    assert!(commands.len() >= 5, "{commands:?}");
    for line in commands {
        if ELSEWHERE.iter().any(|(command, _)| *command == line) {
            continue;
        }
        let mut command = clone.command(&line);
        command.env("FLOTILLA_STATE", fleet.root());
        if line.ends_with("events tail") {
            let stir = &mut || _ = fleet.ok("stock adjust tea 1");
            until(&line, &mut command, "StockItemChanged", stir);
        } else {
            said(&line, &mut command).with_code(0);
        }
    }
}

/// The commands in the blocks of a text, one or several on a line.
fn commands_of(text: &str) -> Vec<String> {
    let blocks = text.split("```").skip(1).step_by(2);
    let lines = blocks.flat_map(str::lines).flat_map(|line| line.split("  "));
    let ours =
        lines.map(str::trim).filter(|line| line.starts_with("./x") || line.starts_with("flotilla"));
    ours.map(str::to_owned).collect()
}

#[test]
fn every_command_that_a_document_or_a_message_names_exists_with_its_options() {
    let tree = Tree::read();
    let mut found = 0;
    let mut wrong = Vec::new();
    for file in TOLD_IN.iter().flat_map(|folder| texts(&root().join(folder), *folder != ".")) {
        let text = std::fs::read_to_string(&file).unwrap();
        for line in mentions(&text) {
            found += 1;
            if let Err(why) = tree.find(&line) {
                wrong.push(format!("{}: {line}: {why}", file.display()));
            }
        }
    }
    assert!(found > 30, "{found}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn texts(folder: &Path, deep: bool) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut found = Vec::new();
    for path in entries {
        let kind = path.extension().and_then(|kind| kind.to_str());
        match kind {
            None if deep && path.is_dir() => found.extend(texts(&path, deep)),
            Some("rs" | "md") => found.push(path),
            _other => {}
        }
    }
    found
}

/// What stands in backticks and begins with the program's name, or is a command of a block. A line of
/// text may end within the backticks.
fn mentions(text: &str) -> Vec<String> {
    let joined = text.replace("\\\n", " ").replace("\n//!", " ").replace("\n    ///", " ");
    let spans = joined.split('`').filter(|span| !span.contains('\n') && !span.contains('{'));
    let told = spans.map(str::to_owned).chain(commands_of(text));
    let ours = told.filter_map(|line| {
        let line = line.trim_start_matches("./x ");
        Some(line.strip_prefix("flotilla ")?.split_whitespace().collect::<Vec<_>>().join(" "))
    });
    ours.filter(|line| !line.is_empty()).collect()
}
