//! What the commands say: for people, in colour only on a terminal, or as JSON.

use std::fmt::Display;
use std::io::{IsTerminal, Write, stderr, stdout};
use std::time::Duration;

use serde::Serialize;

/// Where and how to answer.
pub(crate) struct Output {
    json: bool,
    colour: bool,
    error_colour: bool,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none() && !json;
        Output {
            json,
            colour: wanted && stdout().is_terminal(),
            error_colour: wanted && stderr().is_terminal(),
        }
    }

    /// One line for people; nothing in JSON.
    pub(crate) fn line(&self, text: impl Display) {
        if !self.json {
            write_line(&text.to_string());
        }
    }

    /// A document for programs; nothing for people.
    pub(crate) fn document(&self, document: &impl Serialize) {
        if self.json {
            write_line(&serde_json::to_string(document).unwrap_or_default());
        }
    }

    /// A headline.
    pub(crate) fn title(&self, text: impl Display) {
        self.line(paint(self.colour, "1", &text));
    }

    pub(crate) fn good(&self, text: impl Display) -> String {
        paint(self.colour, "32", &text)
    }

    pub(crate) fn bad(&self, text: impl Display) -> String {
        paint(self.colour, "31", &text)
    }

    /// Progress goes to stderr, so that it never mixes with an answer.
    pub(crate) fn progress(&self) -> impl Fn(&str, Option<Duration>) + Sync + use<> {
        let quiet = self.json;
        move |step: &str, took: Option<Duration>| {
            if !quiet {
                let line = match took {
                    None => format!("  {step} ..."),
                    Some(took) => format!("  {step}: {:.1} s", took.as_secs_f64()),
                };
                // A closed terminal is no reason to stop.
                let _closed = writeln!(stderr(), "{line}");
            }
        }
    }

    /// Why a command failed, with its causes.
    pub(crate) fn error(&self, error: &anyhow::Error) {
        let text = match self.json {
            true => serde_json::json!({ "error": format!("{error:#}") }).to_string(),
            false => format!("{} {error:#}", paint(self.error_colour, "31", &"flotilla:")),
        };
        let _closed = writeln!(stderr(), "{text}");
    }
}

fn paint(colour: bool, code: &str, text: &impl Display) -> String {
    match colour {
        true => format!("\x1b[{code}m{text}\x1b[0m"),
        false => text.to_string(),
    }
}

fn write_line(line: &str) {
    // A reader that went away (`| head`) is no error.
    let _closed = writeln!(stdout(), "{line}");
}
