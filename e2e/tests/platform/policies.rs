//! What we ask of every object that is rendered, beyond what Kubernetes accepts. Exceptions are in
//! `e2e/platform/exceptions`, with their reasons.

use std::collections::BTreeSet;

use roster::SERVICES;
use serde_json::{Map, Value};

use crate::tools::{lines, list, name_of, objects, render, rendered, text, texts};

/// A policy: what is wrong with an object, among all those of the same installation.
type Policy = (&'static str, fn(&Value, &[Value]) -> Vec<String>);

const POLICIES: [Policy; 12] = [
    ("restricted", restricted),
    ("no-token", no_token),
    ("own-account", own_account),
    ("pinned-images", pinned_images),
    ("resources", resources),
    ("probes", probes),
    ("one-decides-on-replicas", one_decides_on_replicas),
    ("covered", covered),
    ("stops-in-time", stops_in_time),
    ("no-secrets", no_secrets),
    ("secrets-are-files", secrets_are_files),
    ("least-privilege", least_privilege),
];

#[test]
fn every_object_keeps_our_policies_or_is_a_stated_exception() {
    let exceptions = text("e2e/platform/exceptions");
    let exceptions: Vec<(&str, &str)> = lines(&exceptions)
        .map(|line| {
            let mut words = line.splitn(3, ' ');
            let pair = (words.next().unwrap(), words.next().unwrap());
            assert!(words.next().is_some(), "no reason: {line}");
            pair
        })
        .collect();
    let (mut needed, mut faults, mut judged) = (BTreeSet::new(), Vec::new(), 0);
    for (origin, objects) in rendered() {
        for object in objects {
            for (policy, judge) in POLICIES {
                judged += 1;
                let complaints = judge(object, objects);
                let name = name_of(object);
                match exceptions.iter().find(|exception| **exception == (policy, &name)) {
                    Some(exception) if !complaints.is_empty() => _ = needed.insert(exception),
                    _ => faults.extend(
                        complaints.iter().map(|c| format!("{origin}: {policy}: {name}: {c}")),
                    ),
                }
            }
        }
    }
    assert!(judged > 1000, "{judged}");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    let idle: Vec<_> = exceptions.iter().filter(|exception| !needed.contains(exception)).collect();
    assert!(idle.is_empty(), "nothing needs these exceptions: {idle:?}");
}

/// A policy that finds nothing might also look at nothing.
#[test]
fn every_policy_finds_the_fault_that_it_is_for() {
    let (_, objects) = rendered().iter().find(|(origin, _)| origin.ends_with("with prod")).unwrap();
    let spoil = |name: &str, pointer: &str, value: Value| {
        let mut spoilt = objects.clone();
        let object = spoilt.iter_mut().find(|object| name_of(object) == name).unwrap();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        let key = &*key.replace("~1", "/");
        match object.pointer_mut(parent).unwrap_or_else(|| panic!("{name}: {pointer}")) {
            Value::Array(list) => list[key.parse::<usize>().unwrap()] = value,
            parent => parent[key] = value,
        }
        spoilt
    };
    let order = "Deployment/flotilla-order";
    let container = "/spec/template/spec/containers/0";
    for (policy, name, pointer, value) in [
        ("restricted", order, "/spec/template/spec/securityContext/runAsNonRoot", false.into()),
        (
            "restricted",
            order,
            &*format!("{container}/securityContext/readOnlyRootFilesystem"),
            false.into(),
        ),
        ("restricted", order, "/spec/template/spec/hostNetwork", true.into()),
        ("no-token", order, "/spec/template/spec/automountServiceAccountToken", Value::Null),
        ("own-account", order, "/spec/template/spec/serviceAccountName", "default".into()),
        ("pinned-images", order, &*format!("{container}/image"), "flotilla/order:latest".into()),
        ("pinned-images", order, &*format!("{container}/image"), "registry:5000/order".into()),
        ("resources", order, &*format!("{container}/resources/limits/cpu"), 1.into()),
        ("resources", order, &*format!("{container}/resources/requests/memory"), Value::Null),
        ("probes", order, &*format!("{container}/readinessProbe/httpGet/path"), "/livez".into()),
        ("one-decides-on-replicas", "Deployment/flotilla-payment", "/spec/replicas", 2.into()),
        (
            "covered",
            order,
            "/spec/template/metadata/labels/app.kubernetes.io~1component",
            "x".into(),
        ),
        ("covered", order, "/spec/template/spec/topologySpreadConstraints", Value::Null),
        ("covered", order, "/spec/strategy/rollingUpdate/maxUnavailable", 1.into()),
        ("stops-in-time", order, "/spec/template/spec/terminationGracePeriodSeconds", 25.into()),
        ("stops-in-time", order, &*format!("{container}/env/0"), told(STOP_DELAY, "10001")),
        ("no-secrets", order, "/kind", "Secret".into()),
        ("no-secrets", order, &*format!("{container}/env/0/name"), "FLOTILLA_DATABASE_URL".into()),
        ("secrets-are-files", order, &*format!("{container}/env/0/valueFrom"), secret_reference()),
        ("least-privilege", order, "/kind", "ClusterRole".into()),
        ("least-privilege", "NetworkPolicy/flotilla-gateway", "/spec/ingress/0/from", Value::Null),
    ] {
        let spoilt = spoil(name, pointer, value);
        let (_, judge) = POLICIES.iter().find(|(known, _)| *known == policy).unwrap();
        let found = spoilt.iter().any(|object| !judge(object, &spoilt).is_empty());
        assert!(found, "{policy} does not see {pointer} of {name}");
    }
}

fn told(name: &str, value: &str) -> Value {
    serde_json::json!({ "name": name, "value": value })
}

fn secret_reference() -> Value {
    serde_json::json!({ "secretKeyRef": { "name": "order-database", "key": "url" } })
}

/// The pods that an object makes, if any.
fn pods(object: &Value) -> Option<&Value> {
    match object["kind"].as_str()? {
        "Pod" => Some(&object["spec"]),
        "Deployment" | "Job" => Some(&object["spec"]["template"]["spec"]),
        _ => None,
    }
}

fn containers(object: &Value) -> impl Iterator<Item = &Value> {
    let lists = ["containers", "initContainers"];
    pods(object)
        .into_iter()
        .flat_map(move |pods| lists.into_iter().flat_map(|kind| list(&pods[kind])))
}

fn is_deployment(object: &Value) -> bool {
    object["kind"] == "Deployment"
}

/// Complaints where something does not hold.
fn unless(holds: bool, complaint: &str) -> Option<String> {
    (!holds).then(|| complaint.to_owned())
}

/// The Pod Security Standard of that name, and a root that cannot be written.
fn restricted(object: &Value, _: &[Value]) -> Vec<String> {
    let Some(pods) = pods(object) else { return Vec::new() };
    let security = &pods["securityContext"];
    let mut found = vec![
        unless(security["runAsNonRoot"] == true, "may run as root"),
        unless(security["runAsUser"].as_u64().is_some_and(|user| user > 0), "says no user"),
        unless(security["seccompProfile"]["type"] == "RuntimeDefault", "has no seccomp profile"),
    ];
    for host in ["hostNetwork", "hostPID", "hostIPC"] {
        found.push(unless(pods[host] != true, host));
    }
    for volume in list(&pods["volumes"]) {
        let kinds = [
            "configMap",
            "emptyDir",
            "secret",
            "projected",
            "persistentVolumeClaim",
            "csi",
            "downwardAPI",
        ];
        found.push(unless(
            kinds.iter().any(|kind| volume.get(kind).is_some()),
            "has a volume of the host",
        ));
    }
    for container in containers(object) {
        let own = &container["securityContext"];
        let ports = || list(&container["ports"]);
        found.extend([
            unless(own["allowPrivilegeEscalation"] == false, "may get more rights"),
            unless(own["readOnlyRootFilesystem"] == true, "writes to its root"),
            unless(texts(&own["capabilities"]["drop"]).eq(["ALL"]), "keeps capabilities"),
            unless(own["capabilities"].get("add").is_none(), "adds capabilities"),
            unless(own["privileged"] != true, "is privileged"),
            unless(ports().all(|port| port.get("hostPort").is_none()), "has a port of the host"),
        ]);
    }
    found.into_iter().flatten().collect()
}

/// Nobody in the fleet speaks to the API server.
fn no_token(object: &Value, _: &[Value]) -> Vec<String> {
    let place = if object["kind"] == "ServiceAccount" { Some(object) } else { pods(object) };
    let says = |place: &Value| place["automountServiceAccountToken"] == false;
    place.and_then(|place| unless(says(place), "mounts a token")).into_iter().collect()
}

fn own_account(object: &Value, all: &[Value]) -> Vec<String> {
    let Some(pods) = pods(object) else { return Vec::new() };
    let account = pods["serviceAccountName"].as_str().unwrap_or("default");
    let name = format!("ServiceAccount/{account}");
    unless(all.iter().any(|other| name_of(other) == name), "has no account of its own")
        .into_iter()
        .collect()
}

fn pinned_images(object: &Value, _: &[Value]) -> Vec<String> {
    let is_pinned = |image: &str| {
        let name = image.rsplit('/').next().unwrap_or(image);
        let tag = name.split_once(':').map(|(_, tag)| tag);
        image.contains("@sha256:") || tag.is_some_and(|tag| tag != "latest")
    };
    let images = containers(object).filter_map(|container| container["image"].as_str());
    images.filter(|image| !is_pinned(image)).map(str::to_owned).collect()
}

/// Memory is limited, as it cannot be shared; CPU is not, as an idle core is of no use to anybody.
fn resources(object: &Value, _: &[Value]) -> Vec<String> {
    let judged = containers(object).flat_map(|container| {
        let resources = &container["resources"];
        [
            unless(!resources["requests"]["cpu"].is_null(), "asks for no CPU"),
            unless(!resources["requests"]["memory"].is_null(), "asks for no memory"),
            unless(!resources["limits"]["memory"].is_null(), "has no limit of memory"),
            unless(resources["limits"]["cpu"].is_null(), "has a limit of CPU"),
        ]
    });
    judged.flatten().collect()
}

/// A restart is for what a restart can mend: liveness looks at something else than readiness does.
fn probes(object: &Value, _: &[Value]) -> Vec<String> {
    if !is_deployment(object) {
        return Vec::new();
    }
    let serving = list(&object["spec"]["template"]["spec"]["containers"]);
    let judged = serving.flat_map(|container| {
        let path = |probe: &str| container[probe]["httpGet"]["path"].clone();
        let (start, live, ready) =
            (path("startupProbe"), path("livenessProbe"), path("readinessProbe"));
        [
            unless(
                [&start, &live, &ready].iter().all(|path| path.is_string()),
                "is not asked how it is",
            ),
            unless(live != ready, "is restarted when it only waits"),
        ]
    });
    judged.flatten().collect()
}

fn one_decides_on_replicas(object: &Value, all: &[Value]) -> Vec<String> {
    let scales = |other: &&Value| {
        let kinds = ["ScaledObject", "HorizontalPodAutoscaler"];
        kinds.iter().any(|kind| other["kind"] == *kind)
            && other["spec"]["scaleTargetRef"]["name"] == object["metadata"]["name"]
    };
    let scalers = all.iter().filter(scales).count();
    let says = object["spec"].get("replicas").is_some();
    match (is_deployment(object), scalers, says) {
        (false, ..) | (true, 1, false) | (true, 0, true) => Vec::new(),
        _ => vec![format!("{scalers} autoscalers, and replicas: {says}")],
    }
}

fn selects(selector: &Value, labels: &Map<String, Value>) -> bool {
    let wanted = selector["matchLabels"].as_object();
    let by_label = wanted.into_iter().flatten().all(|(key, value)| labels.get(key) == Some(value));
    let by_set = list(&selector["matchExpressions"]).all(|expression| {
        let label = expression["key"].as_str().and_then(|key| labels.get(key));
        expression["operator"] == "In"
            && list(&expression["values"]).any(|value| label == Some(value))
    });
    by_label && by_set
}

/// Somebody says how many may be away, who may speak to it, and that its pods are apart.
fn covered(object: &Value, all: &[Value]) -> Vec<String> {
    if !is_deployment(object) {
        return Vec::new();
    }
    let template = &object["spec"]["template"];
    let labels = template["metadata"]["labels"].as_object().unwrap();
    let some = |kind: &str, selector: &str| {
        let mut of_kind = all.iter().filter(|other| other["kind"] == kind);
        of_kind.any(|other| selects(&other["spec"][selector], labels))
    };
    let mut spread = list(&template["spec"]["topologySpreadConstraints"]).peekable();
    let is_apart =
        spread.peek().is_some() && spread.all(|rule| selects(&rule["labelSelector"], labels));
    let mut found = vec![
        unless(some("PodDisruptionBudget", "selector"), "has no PodDisruptionBudget"),
        unless(some("NetworkPolicy", "podSelector"), "has no NetworkPolicy"),
        unless(is_apart, "is not spread"),
        unless(
            object["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0,
            "has fewer pods in an upgrade",
        ),
    ];
    found
        .push(unless(selects(&object["spec"]["selector"], labels), "does not select its own pods"));
    found.into_iter().flatten().collect()
}

/// How long a service takes at most to stop, and for how much of that it serves on, when nobody says otherwise.
fn by_default(setting: &str) -> u64 {
    let fleet: Value = serde_json::from_str(&text("docs/fleet.json")).unwrap();
    let mut settings = list(&fleet["of_every_service"]["settings"]);
    let found = settings.find(|entry| entry["name"] == setting).unwrap();
    found["default"].as_str().unwrap().parse().unwrap()
}

const SHUTDOWN: &str = "FLOTILLA_SHUTDOWN_TIMEOUT_MS";
const STOP_DELAY: &str = "FLOTILLA_STOP_DELAY_MS";

fn stops_in_time(object: &Value, all: &[Value]) -> Vec<String> {
    if !is_deployment(object) {
        return Vec::new();
    }
    let pods = &object["spec"]["template"]["spec"];
    let container = &pods["containers"][0];
    let sources = list(&container["envFrom"]).map(|source| &source["configMapRef"]["name"]);
    let maps = all.iter().filter(|o| o["kind"] == "ConfigMap");
    let sources: Vec<_> = sources.collect();
    let told: Vec<_> = maps.filter(|map| sources.contains(&&map["metadata"]["name"])).collect();
    let setting = |key: &str| -> u64 {
        let common = told.iter().find_map(|map| map["data"][key].as_str());
        let own = list(&container["env"]).find(|variable| variable["name"] == key);
        let said = own.and_then(|variable| variable["value"].as_str()).or(common);
        said.map_or_else(|| by_default(key), |text| text.parse().unwrap())
    };
    let timeout = setting(SHUTDOWN);
    let before = container["lifecycle"]["preStop"]["sleep"]["seconds"].as_u64().unwrap_or(0);
    let grace = pods["terminationGracePeriodSeconds"].as_u64().unwrap_or(30);
    let found = [
        unless(grace * 1000 > before * 1000 + timeout, "is killed while it stops"),
        unless(2 * setting(STOP_DELAY) <= timeout, "refuses to start: it would serve on too long"),
    ];
    found.into_iter().flatten().collect()
}

#[test]
fn containers_of_compose_stop_in_time() {
    let compose = objects(&text("docker-compose.kafka.yml")).remove(0);
    for service in SERVICES {
        let container = &compose["services"][service];
        let setting = |key: &str| match &container["environment"][key] {
            Value::Null => by_default(key),
            said => said.as_str().unwrap().parse().unwrap(),
        };
        let grace = container["stop_grace_period"].as_str().and_then(|text| text.strip_suffix('s'));
        let grace: u64 = grace.unwrap().parse().unwrap();
        assert!(grace * 1000 > setting(SHUTDOWN), "{service} is killed while it stops");
        assert!(2 * setting(STOP_DELAY) <= setting(SHUTDOWN), "{service} refuses to start");
    }
}

#[test]
fn the_chart_refuses_a_delay_with_which_programs_refuse_to_start() {
    let stop = |delay: u64| format!("settings.{STOP_DELAY}={delay}");
    let half = by_default(SHUTDOWN) / 2;
    render("bin/helm", "outside", &["--set", &stop(half)]).unwrap();
    let own = format!("services.order.settings.{SHUTDOWN}=1999");
    for more in [stop(half + 1), own] {
        let said = render("bin/helm", "outside", &["--set", &more]).unwrap_err();
        assert!(said.contains("is more than half of FLOTILLA_SHUTDOWN_TIMEOUT_MS"), "{said}");
    }
}

/// Secrets are named, and never told.
fn no_secrets(object: &Value, _: &[Value]) -> Vec<String> {
    let fleet: Value = serde_json::from_str(&text("docs/fleet.json")).unwrap();
    let groups = list(&fleet["services"]).map(|service| &service["settings"]);
    let every = &fleet["of_every_service"];
    let groups = groups.chain([&every["settings"], &every["migration_settings"]]);
    let secret = groups.flat_map(list).filter(|setting| setting["secret"] == true);
    let secret: Vec<_> = secret.map(|setting| setting["name"].clone()).collect();
    let document = object.to_string();
    let has_password = document.split("://").skip(1).any(|rest| {
        let host = rest.split(['/', '"', ' ']).next().unwrap_or_default();
        host.contains('@') && !host.contains("{{")
    });
    let told = containers(object).flat_map(|container| list(&container["env"]));
    let told = told.filter(|variable| secret.contains(&variable["name"])).count();
    let mut found = vec![
        unless(object["kind"] != "Secret", "is a Secret"),
        unless(!has_password, "has an address with a password"),
    ];
    found.push(unless(told == 0, "is told a secret in a variable"));
    found.into_iter().flatten().collect()
}

/// Variables are shown by whatever describes a pod, and are inherited.
fn secrets_are_files(object: &Value, _: &[Value]) -> Vec<String> {
    let variables = containers(object).flat_map(|container| list(&container["env"]));
    let secret = variables.filter(|variable| variable["valueFrom"].get("secretKeyRef").is_some());
    secret.map(|variable| variable["name"].to_string()).collect()
}

/// No rights at the API server, and no policy that lets anybody in.
fn least_privilege(object: &Value, _: &[Value]) -> Vec<String> {
    let kind = object["kind"].as_str().unwrap_or_default();
    let rights = ["ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"];
    let open = list(&object["spec"]["ingress"]).any(|rule| list(&rule["from"]).next().is_none());
    let all_pods = object["spec"]["podSelector"].as_object().is_some_and(Map::is_empty);
    let is_policy = kind == "NetworkPolicy";
    let found = [
        unless(!rights.contains(&kind), "has rights at the API server"),
        unless(!(is_policy && open), "lets everybody in"),
        unless(!(is_policy && all_pods), "is about pods of others"),
    ];
    found.into_iter().flatten().collect()
}
