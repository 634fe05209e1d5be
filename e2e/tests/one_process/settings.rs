//! What the program reads, refuses and says of itself, without a server.

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Output};

use chassis::{EXIT_CONFIG, PREFIX, Setting, of_every_service};
use e2e::members::code_of;
use local::SERVICES;
use serde_json::Value;

use crate::shop;

/// The program, without a setting.
fn program() -> Command {
    let mut command = Command::new(flotilla::fleet::programs().unwrap().join("fleet"));
    command.env_clear();
    command
}

fn lines(bytes: &[u8]) -> Vec<String> {
    String::from_utf8_lossy(bytes).lines().map(str::to_owned).collect()
}

/// Runs it where no server is, on any ports.
fn run_nowhere(variables: &[(&str, &str)]) -> Output {
    let mut command = program();
    for service in SERVICES {
        let variable = format!("FLOTILLA_{}_DATABASE_URL", service.to_uppercase());
        command.env(variable, format!("postgres://app:secret@127.0.0.1:1/{service}"));
    }
    command
        .env("FLOTILLA_KAFKA_BROKERS", "127.0.0.1:1")
        .env("FLOTILLA_REGISTRY_URL", "http://127.0.0.1:1")
        .env("FLOTILLA_PROVIDER", "http://127.0.0.1:1")
        .env("FLOTILLA_PROVIDER_KEY", "key")
        .env("FLOTILLA_CARRIER", "http://127.0.0.1:1")
        .env("FLOTILLA_CARRIER_KEY", "key")
        .env("FLOTILLA_HTTP_ADDRESS", "127.0.0.1:0")
        .env("FLOTILLA_ADMIN_ADDRESS", "127.0.0.1:0")
        .envs(variables.iter().copied())
        .output()
        .unwrap()
}

#[test]
fn what_is_wrong_with_the_settings_of_two_services_is_told_at_once() {
    let output = run_nowhere(&[
        ("FLOTILLA_ORDER_DEADLINE_SECONDS", "0"),
        ("FLOTILLA_SHIPPING_DATABASE_URL", "mysql://nowhere"),
        ("FLOTILLA_LOG", "chassis=loud"),
    ]);
    assert_eq!(output.status.code(), Some(EXIT_CONFIG.into()));
    let told = lines(&output.stderr);
    let count = |text: &str| told.iter().filter(|line| line.contains(text)).count();
    for text in [
        "order: FLOTILLA_ORDER_DEADLINE_SECONDS is 0",
        "shipping: FLOTILLA_SHIPPING_DATABASE_URL is no Postgres URL",
        "- FLOTILLA_LOG is malformed",
    ] {
        assert_eq!(count(text), 1, "{text}: {told:?}");
    }
    assert_eq!(count("- "), 3, "{told:?}");
}

#[test]
fn services_in_one_process_have_no_database_in_common() {
    let output = run_nowhere(&[(
        "FLOTILLA_SHIPPING_DATABASE_URL",
        "postgres://shipping_app:secret@127.0.0.1:1/order",
    )]);
    assert_eq!(output.status.code(), Some(EXIT_CONFIG.into()));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("FLOTILLA_SHIPPING_DATABASE_URL is the database of another"), "{told}");
}

#[test]
fn services_in_one_process_do_not_migrate_one_database() {
    let mut migrate = program();
    for service in SERVICES {
        let variable = format!("FLOTILLA_{}_OWNER_DATABASE_URL", service.to_uppercase());
        let database = if service == "shipping" { "order" } else { service };
        migrate.env(variable, format!("postgres://{service}_owner:secret@127.0.0.1:1/{database}"));
    }
    let output = migrate.arg("migrate").output().unwrap();
    assert_eq!(output.status.code(), Some(EXIT_CONFIG.into()));
    let told = lines(&output.stderr);
    let refused =
        "shipping: FLOTILLA_SHIPPING_OWNER_DATABASE_URL is the database of another service";
    assert_eq!(told.iter().filter(|line| line.contains(refused)).count(), 1, "{told:?}");
    assert_eq!(told.iter().filter(|line| line.contains("- ")).count(), 1, "{told:?}");
}

#[test]
fn the_end_of_a_part_of_one_service_is_the_end_of_the_process_and_no_success() {
    let output = run_nowhere(&[("FLOTILLA_PANIC_AT", "payment/admin")]);
    let told = lines(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{told:?}");
    let says = |service: &str, text: &str| {
        told.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok()).any(|line| {
            line["service"] == service && line["message"].as_str().unwrap().contains(text)
        })
    };
    assert!(says("payment", "part `admin` has ended unexpectedly"), "{told:?}");
    for service in SERVICES.into_iter().filter(|service| *service != "payment") {
        assert!(says(service, "stopped while starting"), "{service}: {told:?}");
    }
}

#[test]
fn the_services_of_every_fleet_are_in_it_in_their_order() {
    let output = program().args(["describe", "--json"]).output().unwrap();
    let described: Value = serde_json::from_slice(&output.stdout).unwrap();
    let services = described["services"].as_array().unwrap().iter();
    assert_eq!(services.map(|one| &one["service"]).collect::<Vec<_>>(), SERVICES);
}

#[test]
fn by_default_every_service_listens_on_addresses_of_its_own() {
    let output = program().arg("settings").output().unwrap();
    let listed = lines(&output.stdout);
    let mut addresses = BTreeSet::new();
    for service in SERVICES {
        for kind in ["HTTP", "ADMIN"] {
            let variable = format!("FLOTILLA_{}_{kind}_ADDRESS ", service.to_uppercase());
            let line = listed.iter().find(|line| line.starts_with(&variable)).unwrap();
            addresses.insert(line.rsplit_once("(default ").unwrap().1.to_owned());
        }
    }
    assert_eq!(addresses.len(), 2 * SERVICES.len(), "{addresses:?}");
}

/// `FLOTILLA_ORDER_DEADLINE_SECONDS` is a setting of order's. It must not be what `FLOTILLA_DEADLINE_SECONDS` is for
/// order alone, should there ever be one.
#[test]
fn no_variable_means_two_things() {
    let common = of_every_service();
    let common: Vec<Setting> = [common.settings, common.migration_settings].concat();
    let mut meanings: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for service in SERVICES {
        let own = (code_of(service).unwrap().describe)().settings;
        for setting in own.iter().chain(&common) {
            let name = setting.name.strip_prefix(PREFIX).unwrap();
            let alone = format!("{PREFIX}{}_{name}", service.to_uppercase());
            for variable in [setting.name.clone(), alone] {
                meanings.entry(variable).or_default().insert(setting.meaning.clone());
            }
        }
    }
    let unclear: Vec<_> = meanings.iter().filter(|(_, meanings)| meanings.len() > 1).collect();
    assert!(unclear.is_empty(), "{unclear:?}");
}

#[tokio::test]
async fn whether_all_services_are_ready_is_one_question() {
    let nobody = program().arg("ready").env("FLOTILLA_ADMIN_ADDRESS", "127.0.0.1:1").output();
    let nobody = nobody.unwrap();
    assert_eq!(nobody.status.code(), Some(1));
    for service in SERVICES {
        let told = String::from_utf8_lossy(&nobody.stderr).into_owned();
        assert!(told.contains(&format!("{service} is not ready")), "{told}");
    }
    let shop = shop().await;
    let mut ready = program();
    for service in SERVICES {
        let address = shop.fleet.admin_url(service).replace("http://", "");
        ready.env(format!("FLOTILLA_{}_ADMIN_ADDRESS", service.to_uppercase()), address);
    }
    let output = ready.arg("ready").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
