//! What existing files say about every service: some lines each, before an existing line.

use anyhow::{Context, Result};

use super::Request;

/// Lines around a change in a diff.
const CONTEXT: usize = 3;
/// The longest line that rustfmt leaves alone.
const LINE_MAX: usize = 100;

/// Lines to be put into a file.
#[derive(Debug)]
pub(super) struct Edit {
    pub(super) file: &'static str,
    /// The beginning of the passage to which the lines belong.
    passage: &'static str,
    /// The beginning of the first line that follows them; if this is empty, that is the first empty line.
    before: &'static str,
    lines: String,
}

/// All that a service needs.
pub(super) fn all(request: &Request, folder: &str) -> Vec<Edit> {
    let name = &request.name;
    vec![
        Edit {
            file: "Cargo.toml",
            passage: "[workspace.dependencies]",
            before: "",
            lines: format!("{name} = {{ path = \"{folder}\" }}\n"),
        },
        Edit {
            file: "crates/roster/src/lib.rs",
            passage: "pub const ROSTER",
            before: "];",
            lines: member(request, folder),
        },
        Edit {
            file: "deny.toml",
            passage: "deny = [",
            before: "    { crate = \"sandbox\",",
            lines: format!("    {{ crate = \"{name}\", wrappers = [\"e2e\"] }},\n"),
        },
        Edit {
            file: "e2e/Cargo.toml",
            passage: "[dependencies]",
            before: "",
            lines: format!("{name}.workspace = true\n"),
        },
        Edit {
            file: "e2e/src/members.rs",
            passage: "pub const ALL",
            before: "];",
            lines: code(name),
        },
    ]
}

/// Its entry on the roster.
fn member(request: &Request, folder: &str) -> String {
    let Request { name, hears, publishes } = request;
    let hears = hears.iter().map(|topic| format!("\"{topic}\"")).collect::<Vec<_>>().join(", ");
    let owns = if *publishes { format!("\"{name}.events\"") } else { String::new() };
    format!(
        "    Member {{
        name: \"{name}\",
        folder: \"{folder}\",
        starts: Starts::OnRequest,
        owns: &[{owns}],
        hears: &[{hears}],
        neighbours: &[],
    }},
"
    )
}

/// Where its code is, for tests that look at the code of every service.
fn code(name: &str) -> String {
    let line = format!(
        "    Code {{ name: \"{name}\", describe: || describe({name}::app), document: None }},\n"
    );
    if line.trim_end().len() <= LINE_MAX {
        return line;
    }
    format!(
        "    Code {{
        name: \"{name}\",
        describe: || describe({name}::app),
        document: None,
    }},
"
    )
}

impl Edit {
    /// The number of the line before which the lines belong.
    fn position(&self, text: &str) -> Result<usize> {
        let Edit { file, passage, before, .. } = self;
        let mut lines = text.lines().enumerate();
        lines
            .by_ref()
            .find(|(_, line)| line.starts_with(passage))
            .with_context(|| format!("{file} has no line that begins with {passage}"))?;
        let follows = |line: &str| match before.is_empty() {
            true => line.is_empty(),
            false => line.starts_with(before),
        };
        let found = lines.find(|(_, line)| follows(line)).map(|(at, _)| at);
        found.with_context(|| {
            format!("{file} has no line {before:?} after the one that begins with {passage}")
        })
    }

    pub(super) fn applied_to(&self, text: &str) -> Result<String> {
        let position = self.position(text)?;
        let (before, after) = text.split_at(start_of_line(text, position));
        Ok(format!("{before}{}{after}", self.lines))
    }

    /// The text without the lines; `None` unless they are there exactly once.
    pub(super) fn taken_from(&self, text: &str) -> Option<String> {
        // The same may be the end of a longer line.
        let begins_a_line = |at: usize| at == 0 || text.as_bytes()[at - 1] == b'\n';
        let mut found = text.match_indices(&self.lines).filter(|(at, _)| begins_a_line(*at));
        let (at, lines) = found.next()?;
        let after = &text[at + lines.len()..];
        found.next().is_none().then(|| format!("{}{after}", &text[..at]))
    }

    pub(super) fn diff(&self, text: &str) -> Result<String> {
        let (position, lines) = (self.position(text)?, text.lines().collect::<Vec<_>>());
        let first = position.saturating_sub(CONTEXT);
        let last = (position + CONTEXT).min(lines.len());
        let (file, length) = (self.file, last - first);
        let mut diff = format!(
            "--- a/{file}\n+++ b/{file}\n@@ -{from},{length} +{from},{} @@\n",
            length + self.lines.lines().count(),
            from = first + 1,
        );
        let marked = |mark: char, lines: &[&str]| {
            lines.iter().map(|line| format!("{mark}{line}\n")).collect::<String>()
        };
        diff += &marked(' ', &lines[first..position]);
        diff += &marked('+', &self.lines.lines().collect::<Vec<_>>());
        diff += &marked(' ', &lines[position..last]);
        Ok(diff)
    }
}

/// Where a line begins.
fn start_of_line(text: &str, number: usize) -> usize {
    text.split_inclusive('\n').take(number).map(str::len).sum()
}
