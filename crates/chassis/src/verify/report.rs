//! What is told about decisions that were made again: how many are the same, and each kind of difference once.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::judge::{Difference, Line, Verdict};
use super::word;

/// The judgement of a service's decisions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Report {
    pub(crate) service: &'static str,
    /// Keys of which this build says what was said.
    pub(crate) same: usize,
    /// Keys of which it would say something else.
    pub(crate) different: usize,
    /// What it would say otherwise: each kind once, the most frequent first.
    pub(crate) differences: Vec<Kind>,
    /// Keys that were not judged, by the reason.
    pub(crate) unjudged: BTreeMap<&'static str, usize>,
}

/// Keys that differ in the same way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Kind {
    #[serde(flatten)]
    pub(crate) difference: Difference,
    pub(crate) keys: usize,
    /// One of them, for `explain`.
    pub(crate) example: String,
}

/// Why a key is not judged whose events could have been processed in too many orders.
const TOO_MANY: &str = "too many orders of arrival are possible";
/// Why a key is not judged that was read when there was no room for more.
pub(super) const LEFT_OUT: &str = "there were more keys than --keys";

impl Report {
    pub(super) fn new(service: &'static str) -> Self {
        let (differences, unjudged) = (Vec::new(), BTreeMap::new());
        Report { service, same: 0, different: 0, differences, unjudged }
    }

    pub(super) fn judged(&mut self, key: &str, verdict: Verdict) {
        match verdict {
            Verdict::Same(_) => self.same += 1,
            Verdict::TooMany => self.unjudged(TOO_MANY, 1),
            Verdict::Different(_, difference) => {
                self.different += 1;
                let difference = Difference { state: word(&difference.state), ..difference };
                match self.differences.iter_mut().find(|kind| kind.difference == difference) {
                    Some(kind) => kind.keys += 1,
                    None => {
                        let example = key.to_owned();
                        self.differences.push(Kind { difference, keys: 1, example });
                    }
                }
            }
        }
    }

    pub(super) fn unjudged(&mut self, why: &'static str, keys: usize) {
        if keys > 0 {
            *self.unjudged.entry(why).or_default() += keys;
        }
    }

    pub(super) fn sort(&mut self) {
        self.differences.sort_by(|one, other| {
            other.keys.cmp(&one.keys).then_with(|| one.difference.cmp(&other.difference))
        });
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { service, same, different, differences, unjudged } = self;
        writeln!(f, "{service}: {same} the same, {different} different")?;
        for Kind { difference, keys, example } in differences {
            writeln!(f, "  {keys} x {difference}, for example {example}")?;
        }
        for (why, keys) in unjudged {
            writeln!(f, "  {keys} not judged: {why}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Difference { state, heard, says, said } = self;
        let heard =
            heard.as_deref().map_or("everything heard".to_owned(), |name| format!("at {name}"));
        let says = if says.is_empty() { "nothing".to_owned() } else { says.join(", ") };
        let said = said.unwrap_or("nothing");
        // The same name twice: what is in them differs.
        let other = if says == said { "another " } else { "" };
        write!(f, "{state}, {heard}: says {other}{says}, said {said}")
    }
}

/// What each event changed for one key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Explanation {
    pub(crate) service: &'static str,
    pub(crate) key: String,
    pub(crate) lines: Vec<Line>,
    /// Where this build would say something else.
    pub(crate) difference: Option<Difference>,
    /// Why it cannot be told.
    pub(crate) unjudged: Option<&'static str>,
}

impl Explanation {
    pub(super) fn of(service: &'static str, key: &str, verdict: Verdict) -> Self {
        let (lines, difference, unjudged) = match verdict {
            Verdict::Same(lines) => (lines, None, None),
            Verdict::Different(lines, difference) => (lines, Some(difference), None),
            Verdict::TooMany => (Vec::new(), None, Some(TOO_MANY)),
        };
        Explanation { service, key: key.to_owned(), lines, difference, unjudged }
    }

    pub(super) fn unjudged(service: &'static str, key: &str, why: &'static str) -> Self {
        let (lines, difference) = (Vec::new(), None);
        Explanation { service, key: key.to_owned(), lines, difference, unjudged: Some(why) }
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.service)?;
        for Line { topic, heard, before, after, said } in &self.lines {
            let topic = topic.as_deref().unwrap_or("(no event)");
            write!(f, "  {topic:18} {heard:28} ")?;
            match before == after {
                true => write!(f, "no change in {before}")?,
                false => write!(f, "{before} -> {after}")?,
            }
            match said.is_empty() {
                true => writeln!(f)?,
                false => writeln!(f, "; said {}", said.join(", "))?,
            }
        }
        if let Some(difference) = &self.difference {
            writeln!(f, "  this build differs in {difference}")?;
        }
        if let Some(why) = self.unjudged {
            writeln!(f, "  cannot be told: {why}")?;
        }
        Ok(())
    }
}
