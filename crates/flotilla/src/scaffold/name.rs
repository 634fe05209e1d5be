//! Whether a service may have a name. It is the name of a crate, a database, a role, a topic, a process and a variable,
//! so it must be plainer than any of these needs.

use std::fs;
use std::path::Path;

use anyhow::{Result, ensure};

/// Longer ones make lines that nobody reads, and Postgres truncates names at 63 bytes.
const NAME_MAX: usize = 32;

/// Words of Rust that cannot name a crate, or that would hide a crate of the compiler.
const RUST: &str = "abstract alloc as async await become box break const continue core crate do dyn else enum \
                    extern false final fn for gen if impl in let loop macro match mod move mut override priv proc \
                    pub ref return self static std struct super test trait true try type typeof unsafe unsized use \
                    virtual where while yield";

/// Words that Postgres reserves, and databases and roles that it has.
const POSTGRES: &str = "all analyse analyze and any array asc asymmetric both case cast check collate column \
                        constraint create current default deferrable desc distinct end except fetch foreign from \
                        grant group having initially intersect into lateral leading limit not null offset on only \
                        or order placing postgres primary public references select session some symmetric system \
                        table then to trailing union unique user using variadic when window with";

/// Processes of a local fleet that are no services, and what it calls having no service on request.
const LOCAL_FLEET: &str = "controller kafka none registry sandbox";

/// Folders of what is built, which no program can be called.
const CARGO: &str = "build deps examples incremental";

/// Fails with the reason if a service cannot be called this.
pub(super) fn check(root: &Path, name: &str) -> Result<()> {
    let is_plain = name.chars().all(|c| c.is_ascii_lowercase());
    ensure!(
        is_plain && (2..=NAME_MAX).contains(&name.len()),
        "a service is called by 2 to {NAME_MAX} small letters, as its database and its crate are; {name:?} is not"
    );
    for (words, of) in
        [(RUST, "Rust"), (CARGO, "cargo"), (POSTGRES, "Postgres"), (LOCAL_FLEET, "the local fleet")]
    {
        let is_taken = words.split_whitespace().any(|word| word == name);
        ensure!(!is_taken, "{name} is a name that {of} needs itself");
    }
    // Our own crates and those of others: two with one name cannot be told apart on a command line.
    let lock = fs::read_to_string(root.join("Cargo.lock")).unwrap_or_default();
    ensure!(!lock.contains(&format!("name = \"{name}\"\n")), "there is a crate {name} already");
    Ok(())
}
