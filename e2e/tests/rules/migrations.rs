//! Migrations run beside replicas of the version before, while orders come: they add, they do not rewrite what is
//! large, and nobody waits for them. What cannot be had in another way stands in a list, with its reason.

use std::path::{Path, PathBuf};

/// What is done, how it is known, and what to do instead.
type Rule = (&'static str, fn(&str) -> bool, &'static str);

/// What a migration does that others would wait for, or that the version before cannot live with, and what to do
/// instead. Of each statement in lower case with single spaces.
const RULES: &[Rule] = &[
    (
        "changes the type of a column",
        |s| is_change(s) && s.contains(" alter column ") && s.contains(" type "),
        "every row is written again meanwhile; add a column beside it, fill it in batches, and drop the old one a \
         version later",
    ),
    (
        "demands a value where there was none",
        |s| is_change(s) && s.contains(" set not null"),
        "every row is read meanwhile; add a check `not valid` and validate it in the next migration",
    ),
    (
        "adds a constraint to rows that are there",
        |s| is_change(s) && s.contains(" add constraint ") && !s.contains(" not valid"),
        "every row is read meanwhile; add it `not valid` and validate it in the next migration",
    ),
    (
        "gives rows that are there a default that is computed for each",
        |s| {
            is_change(s)
                && s.contains(" add column ")
                && ["gen_random_uuid()", "clock_timestamp()", "random()"]
                    .iter()
                    .any(|f| s.contains(f))
        },
        "every row is written again meanwhile; add the column with a constant, and the default afterwards",
    ),
    (
        "makes an index on a table that is there",
        |s| s.starts_with("create ") && s.contains(" index ") && !s.contains(" concurrently "),
        "nobody writes meanwhile; `create index concurrently`, in a migration of its own that begins with \
         `-- no-transaction`",
    ),
    (
        "takes away or renames what the version before reads",
        |s| {
            is_change(s) && (s.contains(" drop column ") || s.contains(" rename "))
                || s.starts_with("drop table ")
        },
        "expand first, contract later: stop using it in one version, and drop it in the next",
    ),
];

/// Migrations that do it all the same: file, what, and why.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    (
        "chassis/migrations/0006_dead_letters.sql",
        "adds a constraint",
        "of dead letters: few at any time",
    ),
    (
        "order/migrations/0003_price_sequence.sql",
        "takes away",
        "the changelog says to stop the replicas before",
    ),
    (
        "order/migrations/0004_key_age.sql",
        "makes an index",
        "measured: two seconds for a million keys, said in the changelog",
    ),
    (
        "payment/migrations/0002_intents.sql",
        "takes away",
        "the changelog says to stop the replicas before",
    ),
    (
        "shipping/migrations/0002_intents.sql",
        "takes away",
        "the changelog says to stop the replicas before",
    ),
    (
        "chassis/migrations/0009_retention.sql",
        "makes an index",
        "measured: two seconds for a million ids, said in the changelog",
    ),
];

fn is_change(statement: &str) -> bool {
    statement.starts_with("alter table ")
}

/// The statements of a migration that touch tables that were there before it.
fn statements(text: &str) -> Vec<String> {
    let code: String = text
        .lines()
        .map(|line| line.split("--").next().unwrap_or_default())
        .collect::<Vec<_>>()
        .join(" ");
    let words =
        |statement: &str| statement.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ");
    let all: Vec<String> =
        code.split(';').map(words).filter(|statement| !statement.is_empty()).collect();
    let made: Vec<String> = all.iter().filter_map(|s| name_after(s, "create table ")).collect();
    let is_new = |statement: &String| {
        let table = name_after(statement, "alter table ").or_else(|| name_after(statement, " on "));
        table.is_some_and(|table| made.contains(&table))
    };
    all.into_iter().filter(|statement| !is_new(statement)).collect()
}

/// The name behind these words.
fn name_after(statement: &str, words: &str) -> Option<String> {
    let (_, rest) = statement.split_once(words)?;
    Some(rest.trim_start_matches("if not exists ").split([' ', '(']).next()?.to_owned())
}

/// What a migration does that it must not do, each with what to do instead.
fn faults(text: &str) -> Vec<(&'static str, &'static str)> {
    let statements = statements(text);
    let broken = RULES.iter().filter(|(_, is_broken, _)| statements.iter().any(|s| is_broken(s)));
    broken.map(|(what, _, instead)| (*what, *instead)).collect()
}

fn files() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let folders = ["services", "crates", "examples"].map(|folder| root.join(folder));
    let crates = folders.iter().flat_map(|folder| folder.read_dir().unwrap());
    let migrations =
        crates.filter_map(|folder| folder.unwrap().path().join("migrations").read_dir().ok());
    migrations.flatten().map(|file| file.unwrap().path()).collect()
}

#[test]
fn a_migration_neither_rewrites_what_is_there_nor_takes_it_from_the_version_before() {
    let (mut found, mut excused) = (Vec::new(), Vec::new());
    for file in files() {
        let text = std::fs::read_to_string(&file).unwrap();
        for (what, instead) in faults(&text) {
            let exception = EXCEPTIONS
                .iter()
                .find(|(of, excused, _)| file.ends_with(of) && what.starts_with(excused));
            match exception {
                Some(exception) => excused.push(exception),
                None => found.push(format!("{} {what}: {instead}", file.display())),
            }
        }
    }
    assert!(found.is_empty(), "\n{}", found.join("\n"));
    for exception in EXCEPTIONS {
        assert!(excused.contains(&exception), "{exception:?} excuses nothing");
    }
}

#[test]
fn every_kind_of_fault_is_found_and_what_is_safe_is_not() {
    let bad = [
        "alter table orders alter column total_minor type numeric;",
        "ALTER TABLE orders ALTER COLUMN note SET NOT NULL;",
        "alter table orders add constraint positive check (total_minor > 0);",
        "alter table orders add column token uuid default gen_random_uuid();",
        "create index orders_by_state on orders (state);",
        "alter table orders drop column note;",
        "drop table orders;",
    ];
    for statement in bad {
        assert_eq!(faults(statement).len(), 1, "{statement}");
    }
    let good = [
        "create table t (a int); create index t_a on t (a); alter table t add constraint c check (a > 0);",
        "alter table orders add column channel text not null default '';",
        "alter table orders add constraint positive check (total_minor > 0) not valid;",
        "-- no-transaction\ncreate index concurrently orders_by_state on orders (state);",
        "-- alter table orders drop column note;",
    ];
    for statement in good {
        assert_eq!(faults(statement), [], "{statement}");
    }
}
