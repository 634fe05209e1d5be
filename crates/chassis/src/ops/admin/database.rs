//! What an operator is told when the database did not do what a route asked of it. Separate from the routes, as
//! they all use it; and unlike what other callers are told, it names what the database said.

use axum::http::StatusCode;

use crate::http::problem::Problem;
use crate::postgres::trouble::Trouble;

/// Somebody who hears that the database is away checks its host and the way to it. So what it refuses is told
/// apart: a missing permission, or a statement that takes too long.
pub(crate) fn failed(error: &sqlx::Error) -> Problem {
    tracing::error!(error = %error, "what an operator asked for failed at the database");
    match Trouble::of(error) {
        Trouble::Away => Problem::unavailable(format!("the database is away: {error}")),
        Trouble::Full => {
            Problem::unavailable(format!("the database has no room for anything more: {error}"))
        }
        Trouble::Unusable => {
            Problem::unavailable(format!("what the database answered is of no use: {error}"))
        }
        Trouble::Refused => {
            let code = error.as_database_error().and_then(|answer| answer.code());
            let detail = format!("the database refused it: {error}");
            match code.is_some_and(|code| may_pass(&code)) {
                true => Problem::unavailable(detail),
                false => {
                    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the database refused this")
                        .code("failed")
                        .detail(detail)
                }
            }
        }
    }
}

/// Whether the same statement may succeed in a moment.
fn may_pass(code: &str) -> bool {
    // A deadlock or a lost race; a row or table that somebody holds; a statement that took too long.
    code.starts_with("40") || ["55P03", "57014"].contains(&code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_that_cannot_be_reached_is_said_to_be_away() {
        let problem = serde_json::to_value(failed(&sqlx::Error::PoolTimedOut)).unwrap();
        assert_eq!((&problem["status"], &problem["code"]), (&503.into(), &"unavailable".into()));
        assert!(problem["detail"].as_str().unwrap().starts_with("the database is away: "));
    }

    #[test]
    fn only_what_passes_by_itself_is_worth_another_try() {
        for passes in ["57014", "55P03", "40P01", "40001"] {
            assert!(may_pass(passes), "{passes}");
        }
        for stays in ["42501", "42P01", "22003", "XX001"] {
            assert!(!may_pass(stays), "{stays}");
        }
    }
}
