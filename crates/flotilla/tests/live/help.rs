//! What `--help` names: every command with its options, read from what it prints.

use std::collections::{BTreeMap, BTreeSet};

use crate::program::flotilla;

/// Options that every command has; they are tested where they make a difference.
const EVERYWHERE: [&str; 6] =
    ["--help", "--version", "--json", "--output", "--context", "--yes-on"];

/// The commands by their words, such as `order list`, with the options of each.
pub(crate) struct Tree {
    commands: BTreeMap<String, BTreeSet<String>>,
    groups: BTreeSet<String>,
}

impl Tree {
    pub(crate) fn read() -> Self {
        let mut tree = Tree { commands: BTreeMap::new(), groups: BTreeSet::new() };
        tree.add("");
        assert!(tree.commands.len() > 20, "{:?}", tree.commands.keys());
        tree
    }

    fn add(&mut self, path: &str) {
        let output = flotilla().args(path.split_whitespace()).arg("--help").output().unwrap();
        assert!(output.status.success(), "flotilla {path} --help");
        let help = String::from_utf8(output.stdout).unwrap();
        let below = named(&help, "Commands:", |line| {
            // What is further in is the rest of a description.
            let name = line.strip_prefix("  ").filter(|rest| !rest.starts_with(' '))?;
            name.split(' ').next().filter(|name| *name != "help")
        });
        if below.is_empty() {
            let options = named(&help, "Options:", |line| {
                let is_option = line.trim_start().starts_with('-');
                line.split_whitespace().find(|word| is_option && word.starts_with("--"))
            });
            let own = options.into_iter().filter(|option| !EVERYWHERE.contains(option));
            let own = own.map(str::to_owned);
            self.commands.insert(path.to_owned(), own.collect());
        } else {
            self.groups.insert(path.to_owned());
            below.iter().for_each(|name| self.add(format!("{path} {name}").trim()));
        }
    }

    /// The words of every command.
    pub(crate) fn commands(&self) -> impl Iterator<Item = &str> {
        self.commands.keys().map(String::as_str)
    }

    /// The command or group that a command line is about, with its options; or what is wrong with it.
    pub(crate) fn find<'a>(&self, line: &'a str) -> Result<(String, Vec<&'a str>), String> {
        // What stands behind two hyphens is the command line of another program.
        let words = line.split_whitespace().take_while(|word| *word != "--");
        let mut words = words.filter(|word| !EVERYWHERE.contains(word));
        let mut path = String::new();
        while self.groups.contains(&path) {
            match words.next() {
                None | Some("…" | "...") => return Ok((path, Vec::new())),
                Some(word) => path = format!("{path} {word}").trim().to_owned(),
            }
        }
        let known = self.commands.get(&path).ok_or(format!("there is no command {path}"))?;
        let given: Vec<&str> = words.filter(|word| word.starts_with("--")).collect();
        let given: Vec<&str> = given.iter().filter_map(|word| word.split('=').next()).collect();
        match given.iter().find(|option| !known.contains(**option)) {
            Some(option) => Err(format!("{path} has no option {option}")),
            None => Ok((path, given)),
        }
    }

    /// The commands and options that none of these lines uses.
    pub(crate) fn not_covered(&self, lines: &[String]) -> Vec<String> {
        let all = self.commands.iter().flat_map(|(path, options)| {
            let options = options.iter().map(move |option| format!("{path} {option}"));
            std::iter::once(path.clone()).chain(options)
        });
        let mut left: BTreeSet<String> = all.collect();
        for line in lines {
            let (path, options) = self.find(line).unwrap();
            left.remove(&path);
            options.iter().for_each(|option| _ = left.remove(&format!("{path} {option}")));
        }
        left.into_iter().collect()
    }
}

/// What the lines of a section of the help name.
fn named<'a>(
    help: &'a str,
    section: &str,
    name: impl Fn(&'a str) -> Option<&'a str>,
) -> BTreeSet<&'a str> {
    let lines = help.lines().skip_while(|line| *line != section).skip(1);
    lines.take_while(|line| line.is_empty() || line.starts_with(' ')).filter_map(name).collect()
}

#[test]
fn a_command_or_option_that_no_test_runs_is_named() {
    let missing = Tree::read().not_covered(&["order list --limit 1".to_owned()]);
    for name in ["stock list", "order list --customer", "local logs --follow"] {
        assert!(missing.iter().any(|missing| missing == name), "{name}: {missing:?}");
    }
    assert!(!missing.iter().any(|name| name == "order list" || name == "order list --limit"));
}
