//! The table of transitions: it is current, and it says what the saga relies on.

use e2e::transitions::{all, document};

use crate::documents::is_current;

#[test]
fn the_document_is_what_the_functions_decide() {
    is_current("transitions.md", &document());
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
