//! What existing files say about every service: a line each, before a line that stands there.

use anyhow::{Context, Result};

/// Lines around a change in a diff.
const CONTEXT: usize = 3;

/// A line to be put into a file.
#[derive(Debug)]
pub(super) struct Edit {
    pub(super) file: &'static str,
    /// What the line that follows it begins with.
    before: &'static str,
    line: String,
}

/// All that a service needs.
pub(super) fn all(name: &str) -> Vec<Edit> {
    vec![Edit {
        file: "deny.toml",
        before: "    { crate = \"sandbox\",",
        line: format!("    {{ crate = \"{name}\", wrappers = [\"e2e\"] }},"),
    }]
}

impl Edit {
    fn place(&self, text: &str) -> Result<usize> {
        let found = text.lines().position(|line| line.starts_with(self.before));
        let (file, before) = (self.file, self.before.trim());
        found.with_context(|| format!("{file} has no line that begins with {before}"))
    }

    pub(super) fn applied_to(&self, text: &str) -> Result<String> {
        let mut lines: Vec<&str> = text.lines().collect();
        lines.insert(self.place(text)?, &self.line);
        Ok(joined(&lines))
    }

    /// The text without the line; `None` where it is not there once.
    pub(super) fn taken_from(&self, text: &str) -> Option<String> {
        let lines: Vec<&str> = text.lines().filter(|line| **line != self.line).collect();
        (lines.len() + 1 == text.lines().count()).then(|| joined(&lines))
    }

    pub(super) fn diff(&self, text: &str) -> Result<String> {
        let (place, lines) = (self.place(text)?, text.lines().collect::<Vec<_>>());
        let first = place.saturating_sub(CONTEXT);
        let last = (place + CONTEXT).min(lines.len());
        let (file, length) = (self.file, last - first);
        let mut diff = format!(
            "--- a/{file}\n+++ b/{file}\n@@ -{from},{length} +{from},{} @@\n",
            length + 1,
            from = first + 1,
        );
        let same = |range: std::ops::Range<usize>| {
            lines[range].iter().map(|line| format!(" {line}\n")).collect::<String>()
        };
        diff += &same(first..place);
        diff += &format!("+{}\n", self.line);
        diff += &same(place..last);
        Ok(diff)
    }
}

fn joined(lines: &[&str]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}
