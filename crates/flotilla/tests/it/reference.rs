//! The page about the command line says what its parser knows.

use std::path::Path;

use tempfile::TempDir;

use crate::cli::{command, finish};

#[tokio::test]
async fn the_page_about_the_command_line_is_what_the_program_says_of_itself() {
    let folder = TempDir::new().unwrap();
    let current = finish(command(folder.path(), &["man", "--markdown"])).await.stdout;
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/cli.md");
    if std::fs::read_to_string(&page).unwrap_or_default() == current {
        return;
    }
    if std::env::var_os("UPDATE_GENERATED").is_some() {
        return std::fs::write(&page, current).unwrap();
    }
    panic!("docs/cli.md is stale: UPDATE_GENERATED=1 cargo test -p flotilla --test it reference");
}

#[tokio::test]
async fn the_exit_codes_are_in_the_help() {
    let folder = TempDir::new().unwrap();
    let help = finish(command(folder.path(), &["--help"])).await.stdout;
    for code in ["  0  done", "  4  refused", "  6  nobody answers", "130  interrupted"] {
        assert!(help.contains(code), "{code}: {help}");
    }
}
