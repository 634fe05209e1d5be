//! Why a batch could not be committed, named by what happens next rather than by where it came from.
//! There is no third way out. Either way, the input at fault is alone in its batch in the end: a command is answered,
//! an event goes to the dead letters or holds its own partition, and nobody else waits.

use std::io::ErrorKind;

use crate::postgres::trouble::Trouble;

/// Why a batch was rolled back.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The world may be better in a moment: the database is away, a deadlock, a lost race. The same
    /// batch runs again after a pause, for as long as the database is away. If it answers and the batch
    /// still fails, the batch is split after a few attempts; an event that fails alone is never skipped, and
    /// its partition waits.
    #[error("the batch has to run again")]
    Retry(#[source] Box<dyn std::error::Error + Send + Sync>),

    /// Running the same input again would fail the same way. The batch is split until the culprit
    /// is alone; then it is dead-lettered.
    #[error("an input of the batch cannot be processed")]
    Permanent(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Somebody else changed a row between our load and our save.
#[derive(Debug, thiserror::Error)]
#[error("{0} was changed by somebody else meanwhile")]
pub struct Conflict(pub &'static str);

/// A decision that writes nothing was made on a row that was not read.
#[derive(Debug, thiserror::Error)]
#[error("{0} were not read and have to be")]
struct Unread(&'static str);

impl Failure {
    /// A row of `what` was remembered, or presumed not to exist, and would not be written, so
    /// nothing would verify it. The batch runs again at once; all its rows are read then.
    pub fn unread(what: &'static str) -> Self {
        Failure::Retry(Box::new(Unread(what)))
    }

    /// A row of `what` was changed, or inserted, by another transaction since it was loaded.
    pub fn conflict(what: &'static str) -> Self {
        Failure::Retry(Box::new(Conflict(what)))
    }

    /// Running again cannot help.
    pub fn permanent(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Failure::Permanent(source.into())
    }

    /// Running again may help.
    pub fn retry(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Failure::Retry(source.into())
    }

    /// Whether one of the inputs may be what makes the batch fail, whatever the error says: a statement
    /// that takes too long, a page that is corrupt, a row that is never found. Not if the database is
    /// away, which no input causes.
    pub(crate) fn may_be_the_inputs(&self) -> bool {
        match self {
            Failure::Permanent(_) => true,
            Failure::Retry(source) => match source.downcast_ref::<sqlx::Error>().map(Trouble::of) {
                Some(Trouble::Away | Trouble::Full) => false,
                Some(Trouble::Unusable | Trouble::Refused) | None => true,
            },
        }
    }

    /// Whether it was aborted for taking too long, because the server was silent or because there was
    /// too much to do.
    pub(crate) fn is_timeout(&self) -> bool {
        match self {
            Failure::Permanent(_) => false,
            Failure::Retry(source) => matches!(
                source.downcast_ref::<sqlx::Error>(),
                Some(sqlx::Error::Io(error)) if error.kind() == ErrorKind::TimedOut
            ),
        }
    }

    pub(crate) fn must_read(&self) -> bool {
        matches!(self, Failure::Retry(source) if source.is::<Unread>())
    }

    /// Whether another transaction was faster, which is worth an immediate second try.
    pub fn is_conflict(&self) -> bool {
        match self {
            Failure::Retry(source) => source.is::<Conflict>(),
            Failure::Permanent(_) => false,
        }
    }
}

impl From<sqlx::Error> for Failure {
    /// A constraint or a value that Postgres refuses will be refused again. A unique violation is a
    /// lost race: the next run loads the row that won. Everything else is worth another try.
    fn from(error: sqlx::Error) -> Self {
        let code = error.as_database_error().and_then(|e| e.code().map(|c| c.into_owned()));
        match code.as_deref() {
            Some("23505") => Failure::conflict("a unique key"),
            // 22: a value out of range or malformed. 23: an integrity constraint.
            Some(code) if code.starts_with("22") || code.starts_with("23") => {
                Failure::Permanent(Box::new(error))
            }
            Some(_) | None => Failure::Retry(Box::new(error)),
        }
    }
}

/// An error with its causes on one line.
pub(crate) struct Chain<'a>(pub(crate) &'a (dyn std::error::Error + 'a));

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(error) = source {
            write!(formatter, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}
