//! The chart renders, always the same, and what it renders is what Kubernetes and the operators know.

use crate::copies::is_current;
use crate::tools::{
    CHART, HELMS, KUBERNETES, OVERLAYS, build, name_of, objects, render, rendered, run, text,
    values_files,
};

/// Objects of these kinds go to one of the operators, each of which has one here.
const OF_OPERATORS: [&str; 9] = [
    "Kafka",
    "KafkaNodePool",
    "KafkaTopic",
    "KafkaUser",
    "Cluster",
    "ScaledObject",
    "PodMonitor",
    "HTTPRoute",
    "ExternalSecret",
];

#[test]
fn both_helms_find_nothing_to_complain_about() {
    for values in values_files() {
        let file = format!("{CHART}/ci/{values}-values.yaml");
        for helm in HELMS {
            let lint = ["lint", "--strict", CHART, "--values", &file, "--kube-version", "1.34.0"];
            let said = run(helm, &lint, "").unwrap_or_else(|said| panic!("{values}: {said}"));
            assert!(said.contains("0 chart(s) failed"), "{values}: {said}");
        }
    }
}

#[test]
fn the_chart_renders_the_same_each_time_and_the_same_objects_with_both_helms() {
    for values in values_files() {
        let mut of_both = HELMS.map(|helm| {
            let first = render(helm, &values, &[]).unwrap();
            assert_eq!(first, render(helm, &values, &[]).unwrap(), "{helm} with {values}");
            objects(&first)
        });
        // They differ in the order of what belongs to the same kind.
        of_both.iter_mut().for_each(|objects| objects.sort_by_key(name_of));
        let [four, three] = of_both;
        assert_eq!(four, three, "{values}");
    }
}

fn kubeconform(version: &str, yaml: &str) -> Result<String, String> {
    let folder = run("venv/bin/python", &["-c", "import sys; print(sys.prefix)"], "").unwrap();
    let folder = folder.trim().strip_suffix("/venv").unwrap().to_owned() + "/schemas/";
    let own =
        folder.clone() + "{{.NormalizedKubernetesVersion}}/{{.ResourceKind}}{{.KindSuffix}}.json";
    let operators = folder + "{{.Group}}/{{.ResourceKind}}_{{.ResourceAPIVersion}}.json";
    let places = ["-schema-location", &own, "-schema-location", &operators];
    let args =
        [&["-strict", "-summary", "-kubernetes-version", version], &places[..], &["-"]].concat();
    run("bin/kubeconform", &args, yaml)
}

#[test]
fn every_object_is_one_that_three_versions_of_kubernetes_and_the_operators_know() {
    let charts = values_files().into_iter().map(|values| render("bin/helm", &values, &[]).unwrap());
    let all: Vec<_> = charts.chain(OVERLAYS.map(build)).collect();
    let all = all.join("\n---\n");
    for version in KUBERNETES {
        let said = kubeconform(version, &all).unwrap_or_else(|said| panic!("{version}: {said}"));
        assert!(said.contains("Errors: 0, Skipped: 0"), "{version}: {said}");
    }
    let kinds: Vec<_> =
        rendered().iter().flat_map(|(_, objects)| objects).map(|o| &o["kind"]).collect();
    for kind in OF_OPERATORS {
        assert!(kinds.iter().any(|found| *found == kind), "no {kind} was judged");
    }
}

#[test]
fn a_field_that_nobody_knows_is_found_in_objects_of_kubernetes_and_of_operators() {
    let prod = render("bin/helm", "prod", &[]).unwrap();
    for (right, wrong) in [
        ("revisionHistoryLimit:", "revisionHistoryLimits:"),
        ("metadataVersion:", "metadataVersions:"),
        ("passwordSecret:", "passwordSecrets:"),
        ("minReplicaCount:", "minReplicaCounts:"),
        ("refreshInterval:", "refreshIntervals:"),
    ] {
        let with_it = prod.split("\n---\n").find(|object| object.contains(right));
        let spoilt = with_it.unwrap_or_else(|| panic!("no {right}")).replace(right, wrong);
        let said = kubeconform(KUBERNETES[0], &spoilt).unwrap_err();
        assert!(said.contains(wrong.trim_end_matches(':')), "{said}");
    }
}

#[test]
fn only_the_test_is_a_hook_of_helm() {
    for (origin, objects) in rendered() {
        for object in objects {
            let hook = &object["metadata"]["annotations"]["helm.sh/hook"];
            assert!(hook.is_null() || hook == "test", "{origin}: {}", name_of(object));
        }
    }
}

#[test]
fn jobs_have_another_name_as_soon_as_they_do_something_else() {
    let jobs = |more: &[&str]| -> Vec<String> {
        let names = objects(&render("bin/helm", "fifth", more).unwrap());
        names.iter().map(name_of).filter(|name| name.starts_with("Job/")).collect()
    };
    let before = jobs(&[]);
    assert!(before.len() > 4, "{before:?}");
    assert_eq!(before, jobs(&["--set", "defaults.replicas=7"]));
    let after = jobs(&["--set", "image.tag=0.1.1", "--set", "services.loyalty.image.tag=1.4.1"]);
    assert!(before.iter().all(|name| !after.contains(name)), "{before:?} {after:?}");
}

#[test]
fn the_chart_is_of_the_version_of_the_programs() {
    let version = format!("appVersion: \"{}\"", env!("CARGO_PKG_VERSION"));
    assert!(text(&format!("{CHART}/Chart.yaml")).contains(&version), "{version}");
}

#[test]
fn what_is_missing_is_asked_for_by_its_name() {
    for (setting, asks) in [
        ("kafka.bootstrapServers=", "kafka.bootstrapServers: say where Kafka is"),
        ("registry.url=", "registry.url: say where the schema registry is"),
        ("services.payment.settings.FLOTILLA_PROVIDER=", "FLOTILLA_PROVIDER: needs a value"),
    ] {
        let said = render("bin/helm", "outside", &["--set", setting]).unwrap_err();
        assert!(said.contains(asks), "{said}");
    }
}

#[test]
fn the_readme_says_what_the_values_say() {
    let args = ["--chart-search-root", "helm", "--dry-run", "--log-level", "warning"];
    let readme = run("bin/helm-docs", &args, "").unwrap();
    is_current(&format!("{CHART}/README.md"), &readme);
}
