//! The files of a new service. The template is a crate like any other, `examples/sprout`, which is built and tested
//! with all of them. Its name is a word that is part of no other word, so that another can replace it. The
//! passages that depend on what is heard are made here, for the template as well as for a new service: the former
//! is searched for and replaced with the latter.

use std::io::Write;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use events::TOPICS;

/// The template's name, and the same as the name of a type.
const NAME: (&str, &str) = ("sprout", "Sprout");
/// What the template hears.
const HEARS: &str = "order.events";

macro_rules! template {
    ($($file:literal),+ $(,)?) => {
        &[$(($file, include_str!(concat!("../../../../examples/sprout/", $file)))),+]
    };
}

/// Every file of the template.
const FILES: &[(&str, &str)] = template![
    "Cargo.toml",
    "build.rs",
    "migrations/0001_orders.sql",
    "schemas/SproutNoted.avsc",
    "src/domain.rs",
    "src/domain/tests.rs",
    "src/language.rs",
    "src/lib.rs",
    "src/main.rs",
    "src/service.rs",
    "tests/it/main.rs",
];

/// Files that only a service that publishes has.
const OF_PUBLISHERS: [&str; 2] = ["schemas/SproutNoted.avsc", "src/language.rs"];

/// A topic that is heard.
#[derive(Debug, Clone)]
pub(super) struct Heard {
    /// What the topic is called after, such as `order`.
    source: String,
    /// The type of its events.
    event: String,
    records: Vec<&'static str>,
}

impl Heard {
    /// A topic of the fleet's language.
    pub(super) fn of(topic: &str) -> Self {
        let source = topic.split('.').next().unwrap_or_default().to_owned();
        let event = format!("{}Event", capitalised(&source));
        let found = TOPICS.iter().find(|known| known.name == topic);
        let records = found.into_iter().flat_map(|topic| topic.records).map(|record| record.name);
        Heard { source, event, records: records.collect() }
    }

    /// How an `App` says that it hears the topic.
    pub(super) fn declaration(&self) -> String {
        format!(".hears::<{}>()", self.event)
    }

    fn handler(&self) -> String {
        let Heard { event, records, .. } = self;
        let arm = |record: &&str| format!("            {event}::{record}(_) => Input::{record},\n");
        let arms: String = records.iter().map(arm).collect();
        format!(
            "/// Idempotent: `domain::decide` changes nothing when it hears a fact again.
impl Hears<{event}> for Sprout {{
    const DEDUPLICATION: Deduplication = Deduplication::Idempotent;

    fn hear(event: {event}, _sequence: i64) -> Option<Addressed<OrderId, Input>> {{
        let order = *event.order_id();
        let input = match event {{
{arms}        }};
        Some(Addressed::to(order, input))
    }}
}}
"
        )
    }

    fn delivery(&self) -> String {
        let source = &self.source;
        format!(
            "    for event in samples::{source}() {{
        replica.deliver_thrice(\"{source}\", &event).await;
    }}
"
        )
    }
}

/// A passage of a file, depending on what is heard.
type Passage = (&'static str, fn(&[Heard]) -> String);

const PASSAGES: &[Passage] = &[
    ("src/lib.rs", |heard| import(heard, &[])),
    ("src/lib.rs", |heard| heard.iter().map(Heard::declaration).collect()),
    ("src/domain.rs", |heard| each(heard, "    {},\n", "")),
    ("src/domain.rs", |heard| each(heard, "Input::{}", "\n            | ")),
    ("src/domain/tests.rs", |heard| each(heard, "    Input::{},\n", "")),
    ("src/service.rs", |heard| import(heard, &["OrderId"])),
    ("src/service.rs", |heard| format!("matches!(input, Input::{})", heard[0].records[0])),
    ("src/service.rs", |heard| joined(heard.iter().map(Heard::handler), "\n")),
    ("tests/it/main.rs", |heard| heard.iter().map(Heard::delivery).collect()),
];

/// What is different in a service that publishes nothing.
const SILENT: &[(&str, &str, &str)] = &[
    ("Cargo.toml", "language.workspace = true\nserde.workspace = true\n", ""),
    (
        "migrations/0001_orders.sql",
        "
-- What an audit reads: how many events were published about each order.
create view audit.published as
select 'sprout.events' as topic, order_id::text as key, order_id, sequence from sprout_orders;
",
        "",
    ),
    ("src/lib.rs", "pub mod language;\n", ""),
    ("src/lib.rs", "pub use language::SproutEvent;\n", ""),
    ("src/lib.rs", ".publishes::<SproutEvent>()", ""),
    ("src/lib.rs", "what it hears and says", "what it hears"),
    (
        "src/domain.rs",
        "use events::OrderId;\n\nuse crate::language::{SproutEvent, SproutNoted};\n",
        "use chassis::NoEvent;\nuse events::OrderId;\n",
    ),
    ("src/domain.rs", "<State, SproutEvent>", "<State, NoEvent>"),
    (
        "src/domain.rs",
        "            let event = SproutNoted { order_id, occurred_at: now_micros };\n",
        "",
    ),
    ("src/domain.rs", "vec![event.into()]", "Vec::new()"),
    ("src/domain.rs", "(order_id: OrderId, ", "(_order_id: OrderId, "),
    ("src/domain.rs", "now_micros: i64)", "_now_micros: i64)"),
    ("src/domain/tests.rs", "State::Noted, 1), (", "State::Noted, 0), ("),
    ("src/domain/tests.rs", "(State::Noted, 1), \"", "(State::Noted, 0), \""),
    ("src/service.rs", "NoCall, Stored,", "NoCall, NoEvent, Stored,"),
    ("src/service.rs", "use crate::language::SproutEvent;\n", ""),
    ("src/service.rs", "type Event = SproutEvent", "type Event = NoEvent"),
    ("tests/it/main.rs", ".len(), 1)", ".len(), 0)"),
];

/// The files of a service, from its own folder.
pub(super) fn files(name: &str, heard: &[Heard], publishes: bool) -> Result<Vec<(String, String)>> {
    let template = [Heard::of(HEARS)];
    let there = |file: &str| publishes || !OF_PUBLISHERS.contains(&file);
    let renamed = |text: &str| text.replace(NAME.0, name).replace(NAME.1, &capitalised(name));
    let mut files = Vec::new();
    for (file, text) in FILES.iter().filter(|(file, _)| there(file)) {
        let mut text = (*text).to_owned();
        if !publishes {
            for (_, from, to) in SILENT.iter().filter(|(of, ..)| of == file) {
                text = text.replace(from, to);
            }
        }
        for (_, passage) in PASSAGES.iter().filter(|(of, _)| of == file) {
            text = text.replace(&passage(&template), &passage(heard));
        }
        text = renamed(&text);
        if file.ends_with(".rs") {
            text = formatted(&text)?;
        }
        files.push((renamed(file), text));
    }
    Ok(files)
}

fn import(heard: &[Heard], others: &[&str]) -> String {
    let events = heard.iter().map(|topic| topic.event.as_str());
    let mut names: Vec<&str> = events.chain(others.iter().copied()).collect();
    names.sort_unstable();
    match names.as_slice() {
        [name] => format!("use events::{name};\n"),
        names => format!("use events::{{{}}};\n", names.join(", ")),
    }
}

/// A text for each record.
fn each(heard: &[Heard], text: &str, between: &str) -> String {
    let records = heard.iter().flat_map(|topic| &topic.records);
    joined(records.map(|record| text.replace("{}", record)), between)
}

fn joined(texts: impl Iterator<Item = String>, between: &str) -> String {
    texts.collect::<Vec<_>>().join(between)
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + letters.as_str())
}

/// The text as rustfmt writes it: names of other lengths break lines in other places.
fn formatted(text: &str) -> Result<String> {
    const SETTINGS: &str =
        "style_edition=2024,use_small_heuristics=Max,max_width=100,reorder_modules=false";
    let mut rustfmt = Command::new("rustfmt")
        .args(["--edition", "2024", "--emit", "stdout", "--quiet", "--config", SETTINGS])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("rustfmt cannot be started; `rustup component add rustfmt` installs it")?;
    // It reads everything before it writes, so neither waits for the other.
    rustfmt.stdin.take().context("rustfmt has no input")?.write_all(text.as_bytes())?;
    let written = rustfmt.wait_with_output()?;
    ensure!(written.status.success(), "rustfmt does not understand what was written");
    Ok(String::from_utf8(written.stdout)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The parts that are replaced must be in the template, or a service would silently be written without them.
    #[test]
    fn every_passage_is_in_the_template() {
        let text = |file: &str| FILES.iter().find(|(name, _)| *name == file).unwrap().1;
        let template = [Heard::of(HEARS)];
        for (file, passage) in PASSAGES {
            let passage = passage(&template);
            assert!(text(file).contains(&passage), "{file}: {passage}");
        }
        for (file, from, _) in SILENT {
            assert_eq!(text(file).matches(from).count(), 1, "{file}: {from}");
        }
    }

    #[test]
    fn the_template_written_under_its_own_name_is_the_template_byte_for_byte() {
        let written = files(NAME.0, &[Heard::of(HEARS)], true).unwrap();
        assert_eq!(written.len(), FILES.len());
        for ((file, text), (name, template)) in written.iter().zip(FILES) {
            assert_eq!(file, name);
            assert_eq!(text, template, "{file}");
        }
    }

    #[test]
    fn nothing_of_the_template_is_left_in_what_is_written() {
        let heard = [Heard::of("payment.events"), Heard::of("shipping.events")];
        for publishes in [true, false] {
            for (file, text) in files("ledger", &heard, publishes).unwrap() {
                let all = format!("{file}\n{text}");
                assert!(!all.to_lowercase().contains(NAME.0), "{all}");
                assert!(!all.contains("OrderPlaced"), "{all}");
            }
        }
    }
}
