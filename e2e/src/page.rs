//! Documents as people follow them: the blocks of a page, to be run as they stand there. Separate from the tests that
//! run them, as each has its own machine to run them on.

use std::path::Path;

/// The text of a document of this repository.
pub fn text(document: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(document);
    std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// What stands in the blocks of a document, without the indent of a list.
pub fn blocks(document: &str) -> Vec<String> {
    let page = text(document);
    let blocks = page.split("```").skip(1).step_by(2);
    let block = |block: &str| {
        // What stands on the line of the marks is the language.
        let (_, block) = block.split_once('\n').unwrap_or_default();
        let indent = block.len() - block.trim_start_matches(' ').len();
        let line = |line: &str| {
            let spaces = line.len() - line.trim_start_matches(' ').len();
            line[indent.min(spaces)..].to_owned()
        };
        block.lines().map(line).collect::<Vec<_>>().join("\n")
    };
    blocks.map(block).collect()
}
