//! What the exit code says: one scheme for every command, so that a script can tell "no" from "ask again later".

use std::fmt;
use std::process::ExitCode;

/// Why a command ends, other than with a plain yes (0).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It ran, and the answer is no; or it failed in a way that no other code is for.
    No = 1,
    /// The command line is wrong.
    Usage = 2,
    /// The answer is not known.
    Unknown = 3,
    /// It is not allowed, or was not confirmed.
    Refused = 4,
    /// There is no such thing.
    Missing = 5,
    /// Nobody answers, for now.
    Away = 6,
    /// It was interrupted from the keyboard.
    Interrupted = 130,
}

/// The table, as `--help` and the reference show it.
pub(crate) const CODES: [(u8, &str); 8] = [
    (0, "done, or yes; also when the reader of the answer has seen enough"),
    (
        1,
        "no: a rule is broken, an order ended cancelled, some of it failed; or the answer cannot be written",
    ),
    (2, "the command line, or an event that is to be published, is wrong"),
    (3, "not known: the fleet does not rest, or not everything is up"),
    (4, "refused: by a service, by a protected context, or because nobody confirmed it"),
    (5, "no such thing: order, topic, group, service, context, fleet"),
    (6, "nobody answers; the same command may succeed later"),
    (130, "interrupted from the keyboard"),
];

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}

/// An error with the code that the program ends with.
#[derive(Debug)]
struct Coded {
    exit: Exit,
    error: anyhow::Error,
}

impl fmt::Display for Coded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#}", self.error)
    }
}

impl std::error::Error for Coded {}

/// The same error, with a code.
pub(crate) fn coded(exit: Exit, error: impl Into<anyhow::Error>) -> anyhow::Error {
    anyhow::Error::new(Coded { exit, error: error.into() })
}

/// The code of an error. The innermost one counts: it was nearest to what happened.
pub(crate) fn of(error: &anyhow::Error) -> Exit {
    let coded = error.chain().filter_map(|cause| cause.downcast_ref::<Coded>());
    coded.last().map_or(Exit::No, of_inner)
}

fn of_inner(coded: &Coded) -> Exit {
    let inner = coded.error.chain().filter_map(|cause| cause.downcast_ref::<Coded>());
    inner.last().map_or(coded.exit, of_inner)
}

#[cfg(test)]
mod tests {
    use anyhow::{Context, anyhow};

    use super::*;

    #[test]
    fn an_error_keeps_its_code_and_its_text_whatever_is_put_around_it() {
        let away = coded(Exit::Away, anyhow!("nobody answers"));
        let around = Err::<(), _>(away).context("cannot ask").unwrap_err();
        assert_eq!(of(&around), Exit::Away);
        assert_eq!(format!("{around:#}"), "cannot ask: nobody answers");
        assert_eq!(of(&coded(Exit::Missing, around)), Exit::Away);
        assert_eq!(of(&anyhow!("something")), Exit::No);
    }

    #[test]
    fn every_code_is_in_the_table() {
        for exit in [
            Exit::No,
            Exit::Usage,
            Exit::Unknown,
            Exit::Refused,
            Exit::Missing,
            Exit::Away,
            Exit::Interrupted,
        ] {
            assert!(CODES.iter().any(|(code, _)| *code == exit as u8), "{exit:?}");
        }
    }
}
