//! The table of transitions: it is current, and it says what the saga relies on.

use std::path::Path;

use e2e::transitions::{all, document};

#[test]
fn the_document_is_what_the_functions_decide() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/transitions.md");
    let found = std::fs::read_to_string(&file).unwrap_or_default();
    let current = document();
    if found == current {
        return;
    }
    if std::env::var_os("UPDATE_GENERATED").is_some() {
        std::fs::write(&file, current).unwrap();
        return;
    }
    panic!("docs/transitions.md is stale: UPDATE_GENERATED=1 cargo test -p e2e --test rules");
}

#[test]
fn an_input_that_was_acted_on_changes_nothing_when_it_comes_again() {
    for (service, transitions) in all() {
        for first in transitions.iter().filter(|t| t.acts() && t.state != t.becomes) {
            let again =
                transitions.iter().find(|t| t.state == first.becomes && t.input == first.input);
            // The state after may be one that the table spells out no further (cancelled, all free).
            let Some(again) = again else { continue };
            let rejected = again.effects.iter().all(|effect| effect.starts_with("rejected"));
            assert!(
                again.state == again.becomes && rejected,
                "{service}: {} in {} acts, and again in {}: {again:?}",
                first.input,
                first.state,
                first.becomes
            );
        }
    }
}
