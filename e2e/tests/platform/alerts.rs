//! The alerts are right and lead to an entry of the runbook, and each fires in a test.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use e2e::series;

use crate::copies::is_current;
use crate::tools::{list, objects, render};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn text(file: &str) -> String {
    std::fs::read_to_string(root().join(file)).unwrap()
}

/// An alert's name, and what stands below it up to the next rule.
fn alerts() -> Vec<(String, String)> {
    let text = text("observability/alerts.yaml");
    let rules = text.split("      - ").filter_map(|rule| rule.strip_prefix("alert: "));
    let named = rules.map(|rule| rule.split_once('\n').unwrap());
    let found: Vec<_> = named.map(|(name, rule)| (name.to_owned(), rule.to_owned())).collect();
    assert!(found.len() > 20, "{}", found.len());
    found
}

/// The value of a line such as `summary: ...`.
fn value<'a>(rule: &'a str, key: &str) -> Option<&'a str> {
    rule.lines().find_map(|line| line.trim_start().strip_prefix(key)?.strip_prefix(": "))
}

/// The anchors of a document's headings, as viewers of Markdown make them.
fn anchors(document: &str) -> BTreeSet<String> {
    let headings = document.lines().filter_map(|line| line.strip_prefix("## "));
    let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
    let anchor =
        |heading: &str| -> String { heading.to_lowercase().chars().filter(kept).collect() };
    headings.map(|heading| anchor(heading).replace(' ', "-")).collect()
}

/// Runs promtool; answers what it said.
fn promtool(args: &[&str]) -> String {
    let found = Command::new(root().join("x")).arg("prometheus").output().unwrap();
    assert!(found.status.success(), "{}", String::from_utf8_lossy(&found.stderr));
    let program = Path::new(String::from_utf8_lossy(&found.stdout).trim()).join("promtool");
    let folder = root().join("observability");
    let run = Command::new(program).args(args).current_dir(folder).output().unwrap();
    let said = [run.stdout, run.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(run.status.success(), "promtool {}: {said}", args.join(" "));
    said
}

#[test]
fn prometheus_takes_the_rules_and_each_alert_fires_when_it_should() {
    let said = promtool(&["check", "rules", "alerts.yaml"]);
    assert!(said.contains("SUCCESS"), "{said}");
    let said = promtool(&["test", "rules", "alerts.test.yaml"]);
    assert!(said.contains("SUCCESS"), "{said}");
    let tests = text("observability/alerts.test.yaml");
    for (alert, _) in alerts() {
        let fires = format!("alertname=\"{alert}\",alertstate=\"firing\"");
        assert!(tests.contains(&fires), "alerts.test.yaml: {alert} never fires");
    }
}

#[test]
fn every_alert_says_how_bad_it_is_and_leads_to_an_entry_of_the_runbook_that_names_it() {
    let runbook = text("docs/runbook.md");
    let anchors = anchors(&runbook);
    for (alert, rule) in alerts() {
        assert!(value(&rule, "summary").is_some(), "{alert} has no summary");
        assert!(value(&rule, "description").is_some(), "{alert} has no description");
        let severity = value(&rule, "labels").unwrap_or_default();
        let known = ["severity: critical", "severity: warning"];
        assert!(known.iter().any(|known| severity.contains(known)), "{alert}: {severity}");
        let url = value(&rule, "runbook_url").unwrap_or_default();
        let anchor = url.strip_prefix("docs/runbook.md#").unwrap_or_default();
        assert!(anchors.contains(anchor), "{alert}: docs/runbook.md has no entry {anchor}");
        let row = runbook.lines().find(|line| line.contains(&format!("`{alert}`")));
        let row = row.unwrap_or_else(|| panic!("docs/runbook.md does not name {alert}"));
        assert!(
            row.contains(&format!("(#{anchor})")),
            "{alert}: the runbook leads elsewhere: {row}"
        );
    }
}

#[test]
fn every_link_within_the_runbook_leads_to_an_entry_and_its_beginning_leads_to_each() {
    let runbook = text("docs/runbook.md");
    let entries = anchors(&runbook);
    let links = |text: &str| -> BTreeSet<String> {
        let links = text.split("](#").skip(1).map(|rest| rest.split(')').next().unwrap_or(rest));
        links.map(str::to_owned).collect()
    };
    let dangling: Vec<_> = links(&runbook).difference(&entries).cloned().collect();
    assert!(dangling.is_empty(), "{dangling:?}");
    let mut parts = runbook.split("\n## ").skip(1);
    let mut reached = links(parts.next().unwrap());
    reached.insert("where-to-begin".to_owned());
    let unreached: Vec<_> = entries.difference(&reached).collect();
    assert!(unreached.is_empty(), "docs/runbook.md does not begin with links to {unreached:?}");
}

#[test]
fn rules_ask_for_metrics_that_services_have() {
    let asked = series::named_in(&text("observability/alerts.yaml"));
    let unknown: Vec<_> = asked.difference(&series::described()).cloned().collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[test]
fn an_address_stands_before_each_entry_of_the_runbook_where_the_values_say_one() {
    let urls = |values: &str| -> Vec<String> {
        let objects = objects(&render("bin/helm", values, &[]).unwrap());
        let rule = objects.iter().find(|object| object["kind"] == "PrometheusRule").unwrap();
        let rules = list(&rule["spec"]["groups"]).flat_map(|group| list(&group["rules"]));
        let urls = rules.filter_map(|rule| rule["annotations"]["runbook_url"].as_str());
        urls.map(str::to_owned).collect()
    };
    let (as_they_are, before_them) = (urls("prod"), urls("everything"));
    assert_eq!(as_they_are.len(), alerts().len());
    let address = "https://git.example.com/flotilla/blob/main/";
    let expected: Vec<_> = as_they_are.iter().map(|url| format!("{address}{url}")).collect();
    assert_eq!(before_them, expected);
}

/// Kubernetes wants the groups as the `spec` of a resource, and kustomize wraps no file.
#[test]
fn the_chart_and_kustomize_have_the_rules_that_are_here() {
    let rules = text("observability/alerts.yaml");
    is_current("helm/flotilla/files/alerts.yaml", &rules);
    let (_, groups) = rules.split_once("groups:\n").unwrap();
    let indented = |line: &str| if line.is_empty() { "\n".into() } else { format!("  {line}\n") };
    let groups: String = groups.lines().map(indented).collect();
    let rule = format!(
        "# The rules of observability/alerts.yaml, which says what they are. A test keeps both equal.\n\
         apiVersion: monitoring.coreos.com/v1\n\
         kind: PrometheusRule\n\
         metadata:\n  name: flotilla\n\
         spec:\n  groups:\n{groups}"
    );
    is_current("k8s/components/monitoring/prometheusrule.yaml", &rule);
}
