//! Each image by itself: the program runs as nobody in particular, with a root that cannot be written, without a shell
//! to run anything else with; and the image says what is in it.

use serde_json::Value;

use crate::engine::{Engine, Run, TARGETS};

/// Far above what a user ever has on a machine.
const USER: &str = "65532:65532";

fn image(target: &str) -> String {
    format!("flotilla/{target}:{}", env!("CARGO_PKG_VERSION"))
}

/// As restricted as a container can be.
fn run<'a>(image: &'a str, args: &[&'a str]) -> Vec<&'a str> {
    let restricted =
        ["run", "--rm", "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"];
    [&restricted[..], &["--network", "none", image], args].concat()
}

#[test]
fn every_program_runs_as_nobody_with_a_root_that_it_cannot_write() {
    let engine = Engine::shared();
    for target in TARGETS {
        let said = engine.docker(&run(&image(target), &["--help"])).passes();
        assert!(said.contains("Usage:"), "{target} said {said}");
        let described = engine.docker(&["image", "inspect", &image(target)]).passes();
        let described: Value = serde_json::from_str(&described).unwrap();
        assert_eq!(described[0]["Config"]["User"], USER, "{target}");
        let labels = &described[0]["Config"]["Labels"];
        assert_eq!(labels["org.opencontainers.image.title"], target);
        assert_eq!(labels["org.opencontainers.image.version"], env!("CARGO_PKG_VERSION"));
    }
}

#[test]
fn no_image_has_a_shell() {
    let engine = Engine::shared();
    for target in TARGETS {
        let image = image(target);
        let args =
            ["run", "--rm", "--network", "none", "--entrypoint", "/bin/sh", &image, "-c", "true"];
        let said = engine.docker(&args).fails();
        assert!(said.contains("no such file or directory"), "{target}: {said}");
    }
}

#[test]
fn every_image_lists_what_it_is_made_of() {
    let engine = Engine::shared();
    for target in TARGETS {
        let container = engine.docker(&["create", &image(target)]).passes();
        let container = container.trim();
        let listed = engine.folder("listed").join(target);
        let listed = listed.display().to_string();
        engine.docker(&["cp", &format!("{container}:/sbom.cdx.json"), &listed]).passes();
        engine.docker(&["rm", container]).passes();
        let sbom: Value = serde_json::from_str(&std::fs::read_to_string(&listed).unwrap()).unwrap();
        assert_eq!(sbom["bomFormat"], "CycloneDX", "{target}");
        let components = sbom["components"].as_array().unwrap();
        assert!(components.iter().any(|component| component["name"] == "tokio"), "{target}");
    }
}

#[test]
fn a_service_with_no_settings_says_which_it_needs_and_that_a_restart_would_not_help() {
    let engine = Engine::shared();
    let image = image("order");
    let output = engine.docker(&run(&image, &[])).output().unwrap();
    assert_eq!(output.status.code(), Some(78));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("FLOTILLA_DATABASE_URL is not set"), "{said}");
}

#[test]
fn the_health_check_of_a_service_that_does_not_run_fails_and_says_why() {
    let engine = Engine::shared();
    for (target, args) in [("order", &["ready"]), ("sandbox", &["--ready"])] {
        let said = engine.docker(&run(&image(target), args)).fails();
        assert!(said.contains("127.0.0.1:"), "{target}: {said}");
    }
}
