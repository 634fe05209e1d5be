//! Who may speak to whom: where the edges of NetworkPolicies lead, and that names and ports are those of the addresses
//! that are told.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::tools::{
    CHART, HELMS, OVERLAYS, list, name_of, objects, render, rendered, root, run, text,
};

/// What a values file renders with these values besides, each as `path=JSON`.
fn with(values: &str, more: &[&str]) -> Vec<Value> {
    let args: Vec<_> = more.iter().flat_map(|value| ["--set-json", value]).collect();
    let yaml = render("bin/helm", values, &args);
    objects(&yaml.unwrap_or_else(|said| panic!("{values}, {more:?}: {said}")))
}

fn find<'a>(objects: &'a [Value], name: &str) -> &'a Value {
    let found = objects.iter().find(|object| name_of(object) == name);
    found.unwrap_or_else(|| panic!("there is no {name}"))
}

/// All pods of a namespace, as a peer.
fn namespace(name: &str) -> Value {
    json!({ "namespaceSelector": { "matchLabels": { "kubernetes.io/metadata.name": name } } })
}

/// The ports of an edge out of the release.
fn ports(objects: &[Value], edge: &str) -> Vec<u64> {
    let policy = find(objects, &format!("NetworkPolicy/flotilla-{edge}"));
    list(&policy["spec"]["egress"][0]["ports"]).filter_map(|port| port["port"].as_u64()).collect()
}

#[test]
fn ports_follow_from_the_addresses_that_services_are_told() {
    let provider = |url: &str| format!("services.payment.settings.FLOTILLA_PROVIDER=\"{url}\"");
    let registry = |url: &str| format!("registry.url=\"{url}\"");
    for (value, edge, expected) in [
        (
            "kafka.bootstrapServers=\"a.b:19092,[::1]:9093,c:19092\"".to_owned(),
            "kafka",
            &[19092, 9093][..],
        ),
        (registry("https://registry.example.com/apis"), "registry", &[443]),
        (registry("http://registry.example.com"), "registry", &[80]),
        (registry("http://registry.example.com:8081/apis/v7?at=1:2"), "registry", &[8081]),
        (registry("https://user:77@registry.example.com/apis"), "registry", &[443]),
        (registry("https://[2001:db8::7]/apis"), "registry", &[443]),
        (registry("https://[2001:db8::7]:8443/apis"), "registry", &[8443]),
        ("otlp.endpoint=\"http://collector:14318\"".to_owned(), "otlp", &[14318]),
        (provider("http://sandbox:8090"), "payment-payment-provider", &[8090]),
        (provider("https://payments.example.com/v1"), "payment-payment-provider", &[443]),
        (
            "services.shipping.settings.FLOTILLA_CARRIER=\"HTTP://carrier\"".to_owned(),
            "shipping-carrier",
            &[80],
        ),
    ] {
        assert_eq!(ports(&with("outside", &[&value]), edge), expected, "{value}");
    }
    let apicurio =
        "apicurio={\"enabled\": true, \"database\": {\"address\": \"db:6432/registry\"}}";
    assert_eq!(ports(&with("outside", &[apicurio]), "registry-database"), [6432]);
    assert_eq!(ports(&with("fifth", &[]), "loyalty-mail"), [8443], "in extraEnv");
    let prod = with("prod", &[]);
    for (edge, expected) in [("kafka", 9092), ("registry", 8080), ("registry-database", 5432)] {
        assert_eq!(ports(&prod, edge), [expected], "{edge} in the cluster");
    }
}

#[test]
fn ports_that_are_said_win_over_those_of_an_address() {
    let said = with(
        "outside",
        &[
            "networkPolicy.kafka.ports=[1, 2]",
            "networkPolicy.registry.ports=[3]",
            "networkPolicy.otlp.ports=[4]",
            "otlp.endpoint=\"http://collector:14318\"",
            "services.payment.neighbours.payment-provider.ports=[5]",
            "apicurio.enabled=true",
            "apicurio.database={\"address\": \"db:6432/registry\", \"port\": 6}",
        ],
    );
    for (edge, expected) in [
        ("kafka", &[1, 2][..]),
        ("registry", &[3]),
        ("otlp", &[4]),
        ("payment-payment-provider", &[5]),
        ("registry-database", &[6]),
    ] {
        assert_eq!(ports(&said, edge), expected, "{edge}");
    }
}

#[test]
fn a_neighbour_of_which_no_port_is_known_is_refused_by_its_name() {
    for (neighbour, complaint) in [
        ("{}", "services.payment.neighbours.crm: set ports"),
        ("{\"setting\": \"CRM\"}", "services.payment.neighbours.crm.setting: neither settings nor"),
    ] {
        let value = format!("services.payment.neighbours.crm={neighbour}");
        let said = render("bin/helm", "outside", &["--set-json", &value]).unwrap_err();
        assert!(said.contains(complaint), "{said}");
    }
}

#[test]
fn a_port_that_is_none_and_an_edge_without_ports_are_refused() {
    for (value, complaint) in [
        (
            "registry.url=\"https://registry.example.com:65536\"",
            "registry.example.com:65536: a port",
        ),
        ("kafka.bootstrapServers=\"a:1,b:0\"", "b:0: a port is a number"),
        (
            "apicurio={\"enabled\": true, \"database\": {\"address\": \"db:65536/registry\"}}",
            "db:65536/registry: a port is a number",
        ),
        ("networkPolicy.dns.ports=null", "networkPolicy.dns.ports: needs at least one port"),
        ("services.order.database.ports=null", "database/ports': got null"),
    ] {
        for helm in HELMS {
            let said = render(helm, "outside", &["--set-json", value]).unwrap_err();
            assert!(said.contains(complaint), "{helm}: {value}: {said}");
        }
    }
}

#[test]
fn spaces_around_an_address_do_not_hide_its_port() {
    let more = ["registry.url=\"https://registry.example.com:8443 \""];
    assert_eq!(ports(&with("outside", &more), "registry"), [8443]);
}

/// The blocks of values in the chart's README.
fn shown() -> Vec<String> {
    let readme = text(&format!("{CHART}/README.md"));
    let blocks = readme.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    blocks.map(str::to_owned).collect()
}

#[test]
fn the_values_that_the_readme_shows_render() {
    let shown = shown();
    let [least, node_local, openshift] = &shown[..] else { panic!("other blocks: {shown:?}") };
    let render = |values: &[&String]| {
        let files: Vec<_> =
            (0..).zip(values).map(|(number, values)| file(number, values)).collect();
        let mut args = vec!["template", "flotilla", CHART, "--kube-version", "1.34.0"];
        files.iter().for_each(|file| args.extend(["--values", file]));
        objects(&run("bin/helm", &args, "").unwrap_or_else(|said| panic!("{values:?}: {said}")))
    };
    assert_eq!(ports(&render(&[least]), "registry"), [443]);
    let dns = |more| {
        let objects = render(&[least, more]);
        find(&objects, "NetworkPolicy/flotilla-nothing-else")["spec"]["egress"].clone()
    };
    let one = |port: u16, protocol: &str| json!({ "port": port, "protocol": protocol });
    let both = |port: u16| [one(port, "UDP"), one(port, "TCP")];
    let cache = json!({ "ipBlock": { "cidr": "169.254.20.10/32" } });
    let expected = json!([{ "ports": both(53), "to": [namespace("kube-system"), cache] }]);
    assert_eq!(dns(node_local), expected);
    let expected = json!([{ "ports": both(5353), "to": [namespace("openshift-dns")] }]);
    assert_eq!(dns(openshift), expected);
}

fn file(number: usize, values: &str) -> String {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join(format!("shown-{number}-{}.yaml", values.len()));
    std::fs::write(&file, values).unwrap();
    file.display().to_string()
}

/// Where KEDA asks for lag, by service.
fn asked_by_keda(objects: &[Value]) -> Vec<&Value> {
    let scaled = objects.iter().filter(|object| object["kind"] == "ScaledObject");
    let triggers = scaled.flat_map(|object| list(&object["spec"]["triggers"]));
    triggers.map(|trigger| &trigger["metadata"]["bootstrapServers"]).collect()
}

fn settings(objects: &[Value]) -> &Value {
    let settings = |object: &&Value| name_of(object).starts_with("ConfigMap/flotilla-settings");
    &objects.iter().find(settings).unwrap()["data"]
}

/// That KEDA asks where services do, and that this and the registry have a name for whoever is in another namespace.
fn names_are_of(namespace: &str, objects: &[Value]) {
    let settings = settings(objects);
    let brokers = format!("flotilla-kafka-bootstrap.{namespace}.svc:9092");
    assert_eq!(settings["FLOTILLA_KAFKA_BROKERS"], brokers);
    let asked = asked_by_keda(objects);
    assert!(asked.len() > 3, "{asked:?}");
    assert!(asked.iter().all(|asked| **asked == brokers), "{asked:?}");
    let registry = format!("http://flotilla-registry.{namespace}.svc:8080/apis/ccompat/v7");
    assert_eq!(settings["FLOTILLA_REGISTRY_URL"], registry);
}

#[test]
fn servers_of_the_release_have_names_that_every_namespace_understands() {
    let chart = render("bin/helm", "prod", &["--namespace", "shop"]).unwrap();
    names_are_of("shop", &objects(&chart));
    // `namespace` is the one place of the overlay that says it.
    let built = built_with("k8s-of-shop", &[OTHER_NAMESPACE]);
    names_are_of("shop", &objects(&built));
    assert!(!built.contains(".flotilla.svc"), "{built}");
}

const OTHER_NAMESPACE: (&str, &str) = ("\nnamespace: flotilla\n", "\nnamespace: shop\n");

/// What a copy of the overlay `prod` builds where its file says something else in these places.
fn built_with(copy: &str, changes: &[(&str, &str)]) -> String {
    let copy = Path::new(env!("CARGO_TARGET_TMPDIR")).join(copy);
    std::fs::remove_dir_all(&copy).ok();
    let copied = Command::new("cp").arg("-R").arg(root().join("k8s")).arg(&copy).status().unwrap();
    assert!(copied.success());
    let overlay = copy.join("overlays/prod");
    let file = overlay.join("kustomization.yaml");
    let mut document = std::fs::read_to_string(&file).unwrap();
    for (before, after) in changes {
        assert!(document.contains(before), "{before}");
        document = document.replace(before, after);
    }
    std::fs::write(&file, document).unwrap();
    run("bin/kustomize", &["build", overlay.to_str().unwrap()], "").unwrap()
}

#[test]
fn an_overlay_leaves_the_address_of_a_server_elsewhere_as_it_is() {
    let (kafka, registry) = ("kafka.prod.example.com:9092", "https://registry.prod.example.com/v7");
    let literals = format!(
        "literals:\n      - FLOTILLA_KAFKA_BROKERS={kafka}\n      - FLOTILLA_REGISTRY_URL={registry}"
    );
    let built = built_with(
        "k8s-elsewhere",
        &[
            OTHER_NAMESPACE,
            ("  - ../../components/apicurio\n", ""),
            ("  - ../../components/strimzi\n", ""),
            ("literals:", &literals),
        ],
    );
    let built = objects(&built);
    assert_eq!(settings(&built)["FLOTILLA_KAFKA_BROKERS"], kafka);
    assert_eq!(settings(&built)["FLOTILLA_REGISTRY_URL"], registry);
    assert!(asked_by_keda(&built).iter().all(|asked| **asked == kafka));
}

/// Kustomize says nothing of a patch whose object comes later.
#[test]
fn overlays_list_components_after_those_that_they_patch() {
    for overlay in OVERLAYS {
        let file = objects(&text(&format!("k8s/overlays/{overlay}/kustomization.yaml"))).remove(0);
        let components: Vec<_> = list(&file["components"]).filter_map(Value::as_str).collect();
        let at = |name: &str| components.iter().position(|path| path.ends_with(name));
        for (patched, by) in [
            ("/network-policies", "/strimzi"),
            ("/network-policies", "/cloudnativepg"),
            ("/network-policies", "/apicurio"),
            ("/strimzi", "/keda"),
        ] {
            let (Some(patched), Some(by)) = (at(patched), at(by)) else { continue };
            assert!(patched < by, "{overlay}: {components:?}");
        }
    }
}

/// Whom the listener without TLS lets in besides the pods of the release.
fn others_at_kafka(objects: &[Value]) -> Vec<Value> {
    let kafka = objects.iter().find(|object| object["kind"] == "Kafka").unwrap();
    let plain = &kafka["spec"]["kafka"]["listeners"][0];
    assert_eq!(plain["name"], "plain");
    let (release, others) = plain["networkPolicyPeers"].as_array().unwrap().split_first().unwrap();
    assert_eq!(release["podSelector"]["matchLabels"]["app.kubernetes.io/instance"], "flotilla");
    others.to_vec()
}

#[test]
fn kafka_lets_keda_in_where_it_asks_and_nowhere_else() {
    let keda = json!([namespace("keda")]);
    for origin in ["with prod", "overlay prod"] {
        let (_, objects) = rendered().iter().find(|(name, _)| name.ends_with(origin)).unwrap();
        assert_eq!(json!(others_at_kafka(objects)), keda, "{origin}");
    }
    let elsewhere = json!([{ "podSelector": { "matchLabels": { "app": "keda-operator" } } }]);
    let value = format!("networkPolicy.autoscaler.peers={elsewhere}");
    assert_eq!(json!(others_at_kafka(&with("prod", &[&value]))), elsewhere);
    assert!(others_at_kafka(&with("prod", &["networkPolicy.autoscaler.peers=[]"])).is_empty());
    let nobody = ["payment", "inventory", "shipping"]
        .map(|service| format!("services.{service}.autoscaling.mode=\"hpa\""));
    let nobody = nobody.each_ref().map(String::as_str);
    assert!(others_at_kafka(&with("prod", &nobody)).is_empty());
}

#[test]
fn the_test_of_a_release_asks_each_of_its_services_and_may() {
    let (_, objects) =
        rendered().iter().find(|(origin, _)| origin.ends_with("with fifth")).unwrap();
    let pod = &find(objects, "Pod/flotilla-test")["spec"];
    assert!(pod.get("initContainers").is_none(), "{pod}");
    let args: Vec<_> = list(&pod["containers"][0]["args"]).filter_map(Value::as_str).collect();
    let services = ["inventory", "loyalty", "order", "payment"];
    let addresses = services.map(|service| format!("http://flotilla-{service}:9090"));
    assert_eq!(args[..2], ["ready", "--within=60"]);
    assert_eq!(args[2..], addresses);
    for service in services {
        let service = find(objects, &format!("Service/flotilla-{service}"));
        assert!(list(&service["spec"]["ports"]).any(|port| port["port"] == 9090), "{service}");
    }
    assert_eq!(ports(objects, "test"), [9090]);
    let tested = &find(objects, "NetworkPolicy/flotilla-tested")["spec"]["podSelector"];
    let asked = &find(objects, "NetworkPolicy/flotilla-test")["spec"]["egress"][0]["to"][0];
    for pods in [tested, &asked["podSelector"]] {
        assert_eq!(pods["matchExpressions"][0]["values"], json!(services), "{pods}");
    }
    // The program understands the question; nobody answers here, and a local fleet is no help in a cluster.
    let program = flotilla::fleet::programs().unwrap().join("flotilla");
    let at_once = args.iter().map(|arg| arg.replace("--within=60", "--within=0"));
    let asked = Command::new(program).args(at_once).output().unwrap();
    let said = String::from_utf8_lossy(&asked.stdout);
    assert_eq!(asked.status.code(), Some(1), "{said}");
    assert!(addresses.iter().all(|address| said.contains(address)), "{said}");
    assert!(said.contains("no answer from") && !said.contains("flotilla local"), "{said}");
}

#[test]
fn the_test_of_a_release_asks_no_service_without_replicas() {
    let asked = |more: &[&str]| -> Option<Vec<String>> {
        let objects = with("fifth", more);
        let pod = objects.iter().find(|object| object["kind"] == "Pod")?;
        let args = list(&pod["spec"]["containers"][0]["args"]).skip(2);
        Some(args.map(|arg| arg.as_str().unwrap().to_owned()).collect())
    };
    let of = |name: &str| format!("http://flotilla-{name}:9090");
    let off = "services.loyalty.replicas=0";
    assert_eq!(asked(&[off]).unwrap(), ["inventory", "order", "payment"].map(of));
    // Replicas are then the autoscaler's, which keeps at least one.
    let scaled = asked(&[off, "services.loyalty.autoscaling.mode=\"keda\""]);
    assert_eq!(scaled.unwrap(), ["inventory", "loyalty", "order", "payment"].map(of));
    let refused = ["--set-json", "services.loyalty.autoscaling.minReplicas=0"];
    assert!(render("bin/helm", "fifth", &refused).unwrap_err().contains("minReplicas"));
    assert_eq!(asked(&["defaults.replicas=0"]), None);
}
