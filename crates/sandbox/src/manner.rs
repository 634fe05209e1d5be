//! How an answer is given, which test input chooses: a caller must cope with every manner, and the rules
//! for the content of answers stay free of it.

/// How an answer is given. What is answered does not depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Manner {
    /// At once.
    Prompt,
    /// After the configured slow latency. The step is done at the end of it, so that another call can
    /// overtake it.
    Slow,
    /// The first answer of each step is lost although the step was done; a repeated call is answered.
    LosesAnswer,
    /// The first answer of each step is a server error although the step was done; a repeated call is
    /// answered.
    FailsAfter,
}
