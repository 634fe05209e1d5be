//! `<service> verify` and `<service> explain`: what is asked, what is answered, and how it ends.

use std::fmt;
use std::time::Duration;

use super::Verified;
use super::history::{self, Told};
use super::judge::judge;
use super::report::{Explanation, LEFT_OUT, Report};
use crate::app::App;
use crate::run::env::Env;

/// How the programs end where a decision would be another one, as a broken rule of the audit does.
pub(crate) const EXIT_DIFFERENT: u8 = 1;
/// How they end where nothing was judged: no proof is no success.
pub(crate) const EXIT_UNJUDGED: u8 = 3;

/// What is asked, and where the topics are.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) brokers: String,
    pub(crate) registry: String,
    pub(crate) question: Question,
    /// Keys that are kept in memory at most.
    pub(crate) keys_max: usize,
    /// Keys about which something was heard or said more recently are not judged.
    pub(crate) quiet: Duration,
}

/// What is to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Question {
    /// How many keys this build decides about as was decided.
    Verify,
    /// What each event changed for this key.
    Explain(String),
}

impl Asked {
    /// With the settings of the service that say where the topics are.
    pub(crate) fn with(
        env: &mut Env,
        question: Question,
        keys_max: usize,
        quiet: Duration,
    ) -> Self {
        let brokers = env.required("KAFKA_BROKERS", "host:port of Kafka, comma separated");
        let registry = env.required("REGISTRY_URL", "URL of the schema registry's Confluent API");
        Asked { brokers, registry, question, keys_max, quiet }
    }

    /// The only key that is asked about, if it is one.
    pub(super) fn key(&self) -> Option<&str> {
        match &self.question {
            Question::Verify => None,
            Question::Explain(key) => Some(key),
        }
    }
}

/// What is told.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(untagged)]
pub(crate) enum Answer {
    Verified(Report),
    Explained(Explanation),
}

impl Answer {
    /// How the program ends.
    pub(crate) fn code(&self) -> u8 {
        let (different, judged) = match self {
            Answer::Verified(report) => (report.different > 0, report.same > 0),
            Answer::Explained(told) => (told.difference.is_some(), told.unjudged.is_none()),
        };
        match (different, judged) {
            (true, _) => EXIT_DIFFERENT,
            (false, false) => EXIT_UNJUDGED,
            (false, true) => 0,
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Answer::Verified(report) => report.fmt(f),
            Answer::Explained(explanation) => explanation.fmt(f),
        }
    }
}

/// How a service answers, its types erased.
pub(crate) type Verifies<S> = fn(&App<S>, &Asked) -> anyhow::Result<Answer>;

pub(crate) fn verifies<S: Verified>(app: &App<S>, asked: &Asked) -> anyhow::Result<Answer> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let history = runtime.block_on(history::read(app, asked))?;
    Ok(match &asked.question {
        Question::Verify => {
            let mut report = Report::new(S::NAME);
            report.unjudged(LEFT_OUT, history.left_out);
            for (key, told) in history.keys {
                match told {
                    Told::Whole { heard, said } => report.judged(&key, judge(&heard, &said)),
                    Told::Unjudged(why) => report.unjudged(why, 1),
                }
            }
            report.sort();
            Answer::Verified(report)
        }
        Question::Explain(key) => Answer::Explained(match history.keys.get(key) {
            None => Explanation::unjudged(S::NAME, key, "nothing was heard or said about it"),
            Some(Told::Unjudged(why)) => Explanation::unjudged(S::NAME, key, why),
            Some(Told::Whole { heard, said }) => Explanation::of(S::NAME, key, judge(heard, said)),
        }),
    })
}
