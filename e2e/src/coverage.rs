//! What a service on the roster needs besides its own crate: its code must agree with the roster, and it must be
//! audited, simulated, measured and kept apart from the other services. Each check takes one service and a
//! collection of evidence, so that a test can apply it to a service that does not exist.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::Result;
use chassis::Description;
use events::TOPICS;
use roster::{Member, Starts};

use crate::members;
use crate::simulation::{Chances, World};
use crate::transitions;

/// How many runs of the simulation are looked at: enough that each record is published in some of them.
const RUNS: u64 = 500;
/// How many orders compete in each.
const ORDERS: usize = 4;
/// What the names of all metrics begin with: our own, and what is shown of any process by anybody.
pub const METRIC_PREFIXES: [&str; 2] = ["flotilla_", "process_"];

/// What is known about the services, by name where it concerns a single one.
#[derive(Debug, Clone, Default)]
pub struct Evidence {
    /// What they say about themselves.
    pub descriptions: BTreeMap<String, Description>,
    /// Those that have a part in docs/openapi.json.
    pub documented: BTreeSet<String>,
    /// The topics that `flotilla audit` reads.
    pub audited_topics: BTreeSet<String>,
    /// Their migrations, all in one text.
    pub migrations: BTreeMap<String, String>,
    /// Records that were published in a run of the simulation.
    pub simulated_records: BTreeSet<String>,
    /// The services in the table of transitions.
    pub in_transitions: BTreeSet<String>,
    /// The names of metrics in their sources.
    pub metrics_in_source: BTreeMap<String, BTreeSet<String>>,
    /// The names of metrics in docs/metrics.md.
    pub documented_metrics: BTreeSet<String>,
    /// The dependency rules.
    pub deny: String,
}

impl Evidence {
    /// What the repository at `root` has about these services.
    pub fn collect(root: &Path, members: &[Member]) -> Result<Self> {
        let mut evidence = Evidence {
            audited_topics: flotilla::audit::audited_topics().map(str::to_owned).collect(),
            simulated_records: simulated(),
            documented_metrics: quoted(
                &std::fs::read_to_string(root.join("docs/metrics.md"))?,
                '`',
            ),
            deny: std::fs::read_to_string(root.join("deny.toml"))?,
            ..Evidence::default()
        };
        let transitions = transitions::all().into_iter();
        evidence.in_transitions = transitions.map(|(service, _)| service.to_owned()).collect();
        for code in members::ALL {
            evidence.descriptions.insert(code.name.to_owned(), (code.describe)());
            evidence.documented.extend(code.document.map(|_| code.name.to_owned()));
        }
        for member in members {
            let (name, folder) = (member.name.to_owned(), root.join(member.folder));
            evidence.migrations.insert(name.clone(), text_of(&folder.join("migrations"), "sql")?);
            let source = quoted(&text_of(&folder.join("src"), "rs")?, '"');
            evidence.metrics_in_source.insert(name, source);
        }
        Ok(evidence)
    }
}

/// Everything that a service lacks, each in words that name it and say where it is missing.
pub fn lacks(member: &Member, evidence: &Evidence) -> Vec<String> {
    let all = [described, audited, simulated_as_well, measured, kept_apart];
    let lacks = all.into_iter().flat_map(|question| question(member, evidence));
    lacks.map(|what| format!("{}: {what}", member.name)).collect()
}

/// The roster says what the code says.
fn described(member: &Member, evidence: &Evidence) -> Vec<String> {
    let Some(code) = evidence.descriptions.get(member.name) else {
        return vec!["is not described: e2e/src/members.rs does not have its code".to_owned()];
    };
    let mut lacks = Vec::new();
    let mut compare = |what: &str, on_roster: &[&str], in_code: Vec<&str>| {
        let sorted = |names: &[&str]| {
            names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<String>>()
        };
        let (on_roster, in_code) = (sorted(on_roster), sorted(&in_code));
        if on_roster != in_code {
            lacks.push(format!("{what} {on_roster:?} on the roster, {in_code:?} by its code"));
        }
    };
    compare("is called", &[member.name], vec![code.service]);
    compare("hears", member.hears, code.hears.iter().map(|heard| heard.topic).collect());
    compare("owns", member.owns, code.publishes.iter().map(|topic| topic.topic).collect());
    let on_roster = member.neighbours.iter();
    let (names, settings): (Vec<&str>, Vec<&str>) =
        on_roster.map(|outside| (outside.name, outside.setting)).unzip();
    compare("calls", &names, code.calls.iter().map(|outside| outside.name).collect());
    let in_code = code.calls.iter().filter_map(|outside| outside.setting.as_deref());
    compare("finds its neighbours by", &settings, in_code.collect());
    // A service on request has its own language.
    let in_language = |name: &str| TOPICS.iter().any(|known| known.name == name);
    if member.starts == Starts::WithTheFleet {
        let strange = member.owns.iter().filter(|name| !in_language(name));
        lacks.extend(strange.map(|topic| format!("owns {topic}, no topic of crates/events")));
        if !evidence.documented.contains(member.name) {
            lacks.push(
                "has no part in docs/openapi.json: e2e/src/members.rs names no document".to_owned(),
            );
        }
    }
    lacks
}

/// What it publishes is compared with what it claims to have published.
fn audited(member: &Member, evidence: &Evidence) -> Vec<String> {
    let migrations = evidence.migrations.get(member.name).map_or("", String::as_str);
    let counted = |topic: &str| {
        migrations.contains("create view audit.published")
            && migrations.contains(&format!("'{topic}'"))
    };
    let mut lacks = Vec::new();
    for topic in member.owns {
        if !evidence.audited_topics.contains(*topic) {
            lacks.push(format!("is not audited: flotilla audit does not read {topic}"));
        }
        if !counted(topic) {
            lacks.push(format!(
                "is not audited: no migration of its has a view audit.published with {topic}"
            ));
        }
    }
    lacks
}

/// Its rules take part in the simulation of the saga and are in the table of transitions. Services on request are
/// outside the saga: they do not answer what they hear.
fn simulated_as_well(member: &Member, evidence: &Evidence) -> Vec<String> {
    if member.starts == Starts::OnRequest {
        return Vec::new();
    }
    let mut lacks = Vec::new();
    if !evidence.in_transitions.contains(member.name) {
        lacks.push("is not simulated: docs/transitions.md does not have its rules".to_owned());
    }
    // A compacted topic, such as the catalogue, is no step of the saga.
    let topics =
        TOPICS.iter().filter(|topic| member.owns.contains(&topic.name) && !topic.compacted);
    let records: Vec<&str> =
        topics.flat_map(|topic| topic.records).map(|record| record.name).collect();
    let never = records.iter().filter(|record| !evidence.simulated_records.contains(**record));
    lacks.extend(never.map(|record| format!("is not simulated: no run ever publishes {record}")));
    if records.is_empty() {
        lacks.push("is not simulated: it has no record that a run could publish".to_owned());
    }
    lacks
}

/// What it measures is declared, and documented on the page of metrics.
fn measured(member: &Member, evidence: &Evidence) -> Vec<String> {
    let Some(code) = evidence.descriptions.get(member.name) else {
        return vec!["is not measured: nobody says which metrics it has".to_owned()];
    };
    let is = |shown: &str, name: &str| {
        let rest = shown.strip_prefix(name);
        rest.is_some_and(|rest| ["", "_total", "_seconds"].contains(&rest))
    };
    let mut lacks = Vec::new();
    for name in evidence.metrics_in_source.get(member.name).into_iter().flatten() {
        if !code.metrics.iter().any(|metric| is(&metric.name, name)) {
            lacks.push(format!("measures {name} without declaring it (App::measures)"));
        }
    }
    for metric in &code.metrics {
        if !evidence.documented_metrics.contains(&metric.name) {
            lacks.push(format!("is not measured: docs/metrics.md does not have {}", metric.name));
        }
    }
    lacks
}

/// No other service may depend on it.
fn kept_apart(member: &Member, evidence: &Evidence) -> Vec<String> {
    let rule = format!("{{ crate = \"{}\", wrappers = [", member.name);
    match evidence.deny.contains(&rule) {
        true => Vec::new(),
        false => vec!["is not kept apart: deny.toml does not say who may depend on it".to_owned()],
    }
}

/// The records that runs of the simulation publish.
fn simulated() -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    for seed in 0..RUNS {
        let chances = Chances { reorder_within_topic: true, duplicates_percent: 20 };
        let mut world = World::new(seed, ORDERS, chances);
        world.run();
        world.send_back();
        seen.extend(world.seen.into_keys().map(str::to_owned));
    }
    seen
}

/// The texts between two of these quotes that begin like a metric's name.
pub fn quoted(text: &str, quote: char) -> BTreeSet<String> {
    let is_name = |part: &&str| {
        let named = METRIC_PREFIXES.iter().find_map(|prefix| part.strip_prefix(prefix));
        named.is_some_and(|rest| !rest.is_empty())
            && part.chars().all(|c| c.is_ascii_lowercase() || c == '_')
    };
    text.split(quote).filter(is_name).map(str::to_owned).collect()
}

/// All files of a kind in a folder, one after the other. A missing folder has none.
fn text_of(folder: &Path, extension: &str) -> Result<String> {
    let mut text = String::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop().filter(|folder| folder.exists()) {
        let entries: Vec<PathBuf> =
            folder.read_dir()?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
        for path in entries {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                text.push_str(&std::fs::read_to_string(path)?);
            }
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests;
