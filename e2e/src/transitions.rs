//! Every state and every input of the saga, decided by the shipped functions and written to the table in
//! `docs/transitions.md`, where a review sees a change of the rules.

mod pairs;

use std::fmt::Write;

use pairs::{of_inventory, of_order, of_payment, of_shipping};

/// What follows from one input in one state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transition {
    /// The state before.
    pub state: String,
    /// What happens.
    pub input: String,
    /// The state after; the same when the input changes nothing.
    pub becomes: String,
    /// The events that are published, the calls that are made, or why the input is rejected.
    pub effects: Vec<String>,
}

impl Transition {
    /// Whether anything changes.
    pub fn acts(&self) -> bool {
        self.state != self.becomes || !self.effects.is_empty()
    }
}

/// The document.
pub fn document() -> String {
    let mut text = String::from(
        "# Transitions\n\nWritten by a test from the decision functions themselves; do not edit \
         (`UPDATE_GENERATED=1 cargo test -p e2e --test rules`).\nEvery pair of state and input was \
         decided; pairs that are not listed change nothing.\n",
    );
    for (service, transitions) in all() {
        let acting: Vec<&Transition> = transitions.iter().filter(|t| t.acts()).collect();
        let (all, ignored) = (transitions.len(), transitions.len() - acting.len());
        put(
            &mut text,
            format_args!("\n## {service}\n\n{all} pairs, {ignored} of them ignored.\n\n"),
        );
        text.push_str("| state | input | becomes | effects |\n|---|---|---|---|\n");
        for Transition { state, input, becomes, effects } in acting {
            let effects = effects.join(", ");
            put(&mut text, format_args!("| {state} | {input} | {becomes} | {effects} |\n"));
        }
    }
    text
}

/// All pairs of every service.
pub fn all() -> Vec<(&'static str, Vec<Transition>)> {
    vec![
        ("order", of_order()),
        ("inventory", of_inventory()),
        ("payment", of_payment()),
        ("shipping", of_shipping()),
    ]
}

fn put(text: &mut String, line: std::fmt::Arguments<'_>) {
    text.write_fmt(line).expect("writing to a string cannot fail");
}
