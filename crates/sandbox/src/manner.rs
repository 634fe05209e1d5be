//! How an answer is given, which test input chooses: a caller must get along with every manner, and
//! the rules of what is answered stay free of it.

/// How an answer is given. What is answered does not depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Manner {
    /// At once.
    Prompt,
    /// After the configured slow latency. What is asked is done at the end of it, so that another
    /// call can overtake it.
    Slow,
    /// The first answer of each step is lost although the step was done; who asks again is answered.
    LosesAnswer,
    /// The first answer of each step is a server error although the step was done; who asks again
    /// is answered.
    FailsAfter,
}
