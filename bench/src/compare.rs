//! Two measurements side by side. A shared machine is never the same twice, so each side is measured in
//! several rounds, in turns, and a ratio comes with the range that the rounds span: a change smaller than
//! its range is not proven.

use std::collections::BTreeSet;
use std::fmt::{self, Display, Formatter};

use anyhow::{Context, ensure};
use serde_json::Value;

/// What is compared: its name, and where it is in a report.
const FIGURES: [(&str, Figure); 11] = [
    ("completed sagas/s", Figure::At("/completed_per_second")),
    ("acknowledge p50, ms", Figure::At("/acknowledge/p50_ms")),
    ("acknowledge p99, ms", Figure::At("/acknowledge/p99_ms")),
    ("placed to completed p50, ms", Figure::At("/complete/p50_ms")),
    ("placed to completed p99, ms", Figure::At("/complete/p99_ms")),
    ("services, us/order", Figure::Part("services")),
    ("postgres, us/order", Figure::Part("postgres")),
    ("kafka, us/order", Figure::Part("kafka")),
    ("generator, us/order", Figure::Part("generator")),
    ("all of them, us/order", Figure::AllParts),
    ("busy cores", Figure::At("/cores_busy")),
];

#[derive(Debug, Clone, Copy)]
enum Figure {
    At(&'static str),
    /// The CPU of a part.
    Part(&'static str),
    /// The CPU of all parts but the collector, which represents somebody else's machine.
    AllParts,
}

impl Figure {
    fn of(self, report: &Value) -> Option<f64> {
        let cpu = |part: &Value| part["cpu_us_per_order"].as_f64();
        let parts = || report["parts"].as_array().into_iter().flatten();
        match self {
            Figure::At(pointer) => report.pointer(pointer)?.as_f64(),
            Figure::Part(name) => parts().find(|part| part["name"] == name).and_then(cpu),
            Figure::AllParts => {
                Some(parts().filter(|part| part["name"] != "collector").filter_map(cpu).sum())
            }
        }
    }
}

/// The comparison of two files of rounds.
#[derive(Debug)]
pub struct Comparison {
    rounds: (usize, usize),
    /// How the requested settings differ, in words.
    differences: Vec<String>,
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    name: &'static str,
    before: f64,
    after: f64,
    /// The smallest and the largest ratio of a round after to a round before.
    range: (f64, f64),
}

impl Comparison {
    /// Compares the rounds of two files, each one report or a list of them.
    pub fn of(before: &str, after: &str) -> anyhow::Result<Self> {
        let before = rounds(before).context("the first file")?;
        let after = rounds(after).context("the second file")?;
        let differences = differences(&before[0], &after[0]);
        let rows = FIGURES.iter().filter_map(|(name, figure)| {
            let of = |rounds: &[Value]| -> Option<Vec<f64>> {
                let mut found: Vec<f64> =
                    rounds.iter().map(|report| figure.of(report)).collect::<Option<_>>()?;
                found.sort_unstable_by(f64::total_cmp);
                Some(found)
            };
            let (before, after) = (of(&before)?, of(&after)?);
            let lowest = after.first()? / before.last()?;
            let highest = after.last()? / before.first()?;
            let (before, after) = (median(&before), median(&after));
            Some(Row { name, before, after, range: (lowest, highest) })
        });
        let rows = rows.collect();
        Ok(Comparison { rounds: (before.len(), after.len()), differences, rows })
    }
}

/// How the requested settings of two measurements differ. They can still be compared: the cost of replicas
/// or telemetry is such a comparison.
fn differences(before: &Value, after: &Value) -> Vec<String> {
    let keys = |report: &Value| -> Vec<String> {
        report["plan"].as_object().into_iter().flat_map(|plan| plan.keys().cloned()).collect()
    };
    let of_plan: BTreeSet<String> = keys(before).into_iter().chain(keys(after)).collect();
    // What each is called, where it is in a report, and what its absence means.
    let asked = of_plan.iter().map(|key| (key.as_str(), format!("/plan/{key}"), "none")).chain([
        ("replicas", "/replicas".to_owned(), "1"),
        ("partitions", "/partitions".to_owned(), "3"),
        ("telemetry's sampling", "/telemetry/sampling".to_owned(), "none"),
    ]);
    let value = |report: &Value, pointer: &str, absent: &str| {
        report.pointer(pointer).map_or_else(|| absent.to_owned(), Value::to_string)
    };
    asked
        .map(|(name, at, absent)| (name, value(before, &at, absent), value(after, &at, absent)))
        .filter(|(_, before, after)| before != after)
        .map(|(name, before, after)| format!("{name} {before} and {after}"))
        .collect()
}

/// Adds a report to a file of rounds, which need not exist.
pub fn add_round(file: Option<&str>, report: Value) -> anyhow::Result<String> {
    let mut all = file.map(rounds).transpose()?.unwrap_or_default();
    all.push(report);
    Ok(serde_json::to_string_pretty(&all)?)
}

fn rounds(text: &str) -> anyhow::Result<Vec<Value>> {
    let rounds = match serde_json::from_str(text)? {
        Value::Array(rounds) => rounds,
        report => vec![report],
    };
    ensure!(!rounds.is_empty(), "it holds no report");
    Ok(rounds)
}

/// The median of sorted figures.
fn median(sorted: &[f64]) -> f64 {
    let middle = sorted.len() / 2;
    match sorted.len() % 2 {
        0 => (sorted[middle - 1] + sorted[middle]) / 2.0,
        _odd => sorted[middle],
    }
}

impl Display for Comparison {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (before, after) = self.rounds;
        writeln!(f, "medians of {before} and {after} rounds")?;
        if !self.differences.is_empty() {
            writeln!(f, "asked for differently: {}", self.differences.join("; "))?;
        }
        writeln!(f)?;
        let heads = ["before", "after", "ratio", "lowest", "highest"];
        writeln!(
            f,
            "{:28}{:>12}{:>12}{:>9}{:>9}{:>9}",
            "", heads[0], heads[1], heads[2], heads[3], heads[4]
        )?;
        for Row { name, before, after, range: (lowest, highest) } in &self.rows {
            let ratio = after / before;
            let shown = if *lowest > 1.0 || *highest < 1.0 { "" } else { "  within the noise" };
            writeln!(
                f,
                "{name:28}{before:>12.1}{after:>12.1}{ratio:>9.2}{lowest:>9.2}{highest:>9.2}{shown}"
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn report(per_second: f64, services: f64) -> Value {
        json!({
            "completed_per_second": per_second,
            "parts": [{ "name": "services", "cpu_us_per_order": services },
                      { "name": "kafka", "cpu_us_per_order": 10.0 }],
        })
    }

    #[test]
    fn a_ratio_comes_with_the_range_of_its_rounds() {
        let before = json!([report(100.0, 40.0), report(110.0, 50.0), report(90.0, 45.0)]);
        let after = json!([report(150.0, 44.0), report(180.0, 20.0)]);
        let text = Comparison::of(&before.to_string(), &after.to_string()).unwrap().to_string();
        let line = |name| text.lines().find(|line: &&str| line.starts_with(name)).unwrap();
        let figures: Vec<&str> = line("completed sagas/s").split_whitespace().skip(2).collect();
        assert_eq!(figures, ["100.0", "165.0", "1.65", "1.36", "2.00"]);
        assert!(line("services").ends_with("within the noise"), "{text}");
        assert!(line("all of them").contains("55.0"), "{text}");
        assert!(!text.contains("acknowledge"), "what a side lacks is left out");
    }

    #[test]
    fn what_was_asked_for_differently_is_said_and_does_not_keep_from_comparing() {
        let mut before = report(100.0, 40.0);
        before["plan"] = json!({ "seconds": 60.0, "skus": 10 });
        let mut after = before.clone();
        let of = |before: &Value, after: &Value| {
            Comparison::of(&before.to_string(), &after.to_string()).unwrap().to_string()
        };
        assert!(!of(&before, &after).contains("differently"));
        after["plan"]["skus"] = json!(1);
        after["replicas"] = json!(2);
        after["telemetry"] = json!({ "sampling": 0.01 });
        after["parts"].as_array_mut().unwrap().push(json!({
            "name": "collector", "cpu_us_per_order": 1_000.0
        }));
        let text = of(&before, &after);
        let expected =
            "differently: skus 10 and 1; replicas 1 and 2; telemetry's sampling none and 0.01\n";
        assert!(text.contains(expected), "{text}");
        let all = text.lines().find(|line| line.starts_with("all of them")).unwrap();
        assert!(all.contains("50.0        50.0"), "the collector is no part of the fleet: {text}");
    }

    #[test]
    fn rounds_are_added_to_what_a_file_holds() {
        let one = add_round(None, report(1.0, 2.0)).unwrap();
        let two = add_round(Some(&one), report(3.0, 4.0)).unwrap();
        assert_eq!(rounds(&two).unwrap().len(), 2);
        assert_eq!(rounds(&report(1.0, 2.0).to_string()).unwrap().len(), 1);
        assert!(rounds("[]").is_err());
        assert!(rounds("nothing").is_err());
    }
}
