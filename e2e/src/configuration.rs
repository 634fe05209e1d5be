//! `docs/configuration.md`, made from what the programs say they read: nobody has to remember to write a new setting
//! down. Separate from `members`, whose document is for tools; this one is for people.

use std::fmt::Write;

use chassis::{Setting, of_every_service};
use roster::ROSTER;

use crate::members::code_of;

const HEAD: &str = "\
# Configuration

A service reads its settings from the environment and from nowhere else. `<service> settings` prints them; a test writes this page from the same source. An empty variable counts as not set. With settings that cannot work a service exits at once, with status 78, and names every fault.

A setting that is marked *secret* is never logged. Where there is one of the same name with `_FILE`, a file holds the value in its place, as secrets are mounted in Kubernetes.
";

/// The whole page.
pub fn document() -> String {
    let every = of_every_service();
    let mut page = HEAD.to_owned();
    section(&mut page, "Every service", &every.settings);
    section(&mut page, "`<service> migrate`", &every.migration_settings);
    for member in ROSTER {
        let own = code_of(member.name).map(|code| (code.describe)().settings).unwrap_or_default();
        if !own.is_empty() {
            section(&mut page, &format!("Only {}", member.name), &own);
        }
    }
    page
}

fn section(page: &mut String, title: &str, settings: &[Setting]) {
    let table = "| variable | meaning | default |\n|---|---|---|\n";
    write!(page, "\n## {title}\n\n{table}").expect("a text takes more");
    for Setting { name, meaning, default, required, secret } in settings {
        let default = match (default, required) {
            (Some(default), _) => format!("`{default}`"),
            (None, true) => "required".to_owned(),
            (None, false) => String::new(),
        };
        let secret = if *secret { " *secret*" } else { "" };
        writeln!(page, "| `{name}` | {meaning}{secret} | {default} |").expect("a text takes more");
    }
}
