//! What operators say in place of somebody outside who does not. Which calls are worth a look, and what must
//! be known about the person who says what became of one, is the same for every service that makes calls;
//! the outcomes are the service's own.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

use crate::http::problem::Problem;

/// A call that is open for longer is worth a look; most are answered within a second.
const OPEN_FOR_SECONDS: u64 = 60;
/// The longest name, reason or id: a sentence, or what a provider's console shows.
const TEXT_MAX: usize = 255;

/// Which open calls to show.
#[derive(Debug, Clone, Copy, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct OpenFor {
    /// Open for longer than this many seconds; 60 when left out.
    open_for_seconds: Option<u64>,
}

impl OpenFor {
    /// Calls in one answer: anybody who has more knows that the other side is away.
    pub(crate) const MAX: i64 = 100;

    pub(crate) fn duration(self) -> Duration {
        let seconds = self.open_for_seconds.unwrap_or(OPEN_FOR_SECONDS);
        // Longer than any call has existed.
        Duration::from_secs(seconds.min(u64::from(u32::MAX)))
    }
}

/// A call whose outcome has been waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LongCall<C> {
    /// The key of the row that waits for it.
    pub key: Uuid,
    /// What was asked for.
    pub call: C,
    /// Since when its outcome is waited for, or before.
    pub asked_at: DateTime<Utc>,
}

/// Who says what became of a call, and how they know. A service keeps it for good, in the transaction of
/// its effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    /// Who says so.
    pub by: String,
    /// How they know.
    pub reason: String,
}

impl Settlement {
    /// Takes the fields `settled_by` and `reason` of a body.
    pub fn new(settled_by: String, reason: String) -> Result<Self, Problem> {
        Self::check_text("settled_by", &settled_by)?;
        Self::check_text("reason", &reason)?;
        Ok(Settlement { by: settled_by, reason })
    }

    /// Refuses a text that cannot be kept, or says nothing.
    pub fn check_text(field: &'static str, text: &str) -> Result<(), Problem> {
        let fits = (1..=TEXT_MAX).contains(&text.chars().count());
        if !fits || text.chars().any(char::is_control) {
            let rule = "must be 1 to 255 characters, none of them a control";
            return Err(Problem::invalid_field(field, format!("{field} {rule}")));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;

    use super::*;

    #[test]
    fn who_says_so_and_why_must_be_text_that_can_be_kept() {
        let longest = "ä".repeat(TEXT_MAX);
        assert!(Settlement::new("ada".to_owned(), longest.clone()).is_ok());
        for wrong in [String::new(), "a\0b".to_owned(), "a\nb".to_owned(), longest + "ä"] {
            for (by, reason) in [(wrong.as_str(), "seen"), ("ada", wrong.as_str())] {
                let refused = Settlement::new(by.to_owned(), reason.to_owned()).unwrap_err();
                assert_eq!(refused.status(), StatusCode::UNPROCESSABLE_ENTITY, "{by:?} {reason:?}");
            }
        }
    }

    #[test]
    fn calls_are_looked_at_after_a_minute_or_whenever_somebody_wants() {
        for (asked, seconds) in [(None, 60), (Some(0), 0), (Some(u64::MAX), u32::MAX.into())] {
            let longer_than = OpenFor { open_for_seconds: asked }.duration();
            assert_eq!(longer_than, Duration::from_secs(seconds));
        }
    }
}
