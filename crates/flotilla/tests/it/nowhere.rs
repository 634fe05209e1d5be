//! Commands where there is no fleet, and words that mean nothing.

use std::net::TcpListener;
use std::path::Path;

use tempfile::TempDir;

use crate::cli::{command, finish, flotilla};

#[tokio::test]
async fn commands_that_talk_to_a_fleet_create_nothing_where_there_is_none() {
    let here = TempDir::new().unwrap();
    let state = here.path().join("state");
    for args in [
        &["audit"][..],
        &["local", "status"],
        &["local", "logs", "order"],
        &["order", "list"],
        &["stock", "list"],
        &["dlq", "list"],
        &["schema", "list"],
        &["topics", "list"],
        &["events", "tail"],
    ] {
        let said = finish(command(&state, args)).await;
        assert_eq!(said.code, 5, "{args:?}");
        assert!(said.stderr.contains("there is no fleet in"), "{args:?}: {}", said.stderr);
        assert!(said.stderr.contains("`flotilla local up`"), "{args:?}: {}", said.stderr);
    }
    for args in [["local", "down"], ["local", "reset"]] {
        assert_eq!(finish(command(&state, &args)).await.code, 0, "{args:?}");
    }
    assert!(!state.exists());
}

#[tokio::test]
async fn a_state_folder_is_named_in_full_and_an_empty_one_is_none() {
    let here = TempDir::new().unwrap();
    let here = here.path().canonicalize().unwrap();
    for (asked, meant) in [("", ".flotilla"), ("of/mine", "of/mine")] {
        let mut command = command(Path::new(asked), &["local", "status"]);
        command.current_dir(&here);
        let said = finish(command).await;
        let meant = format!("there is no fleet in {}", here.join(meant).display());
        assert_eq!(said.code, 5);
        assert!(said.stderr.contains(&meant), "{meant}: {}", said.stderr);
    }
    let strange = here.join("two\nlines");
    let said = finish(command(&strange, &["local", "up"])).await;
    assert_eq!(said.code, 1);
    assert!(said.stderr.contains("must be UTF-8 without control characters"), "{}", said.stderr);
    assert!(!strange.exists());
}

#[tokio::test]
async fn a_service_that_does_not_exist_is_an_error_that_names_those_that_do() {
    let folder = TempDir::new().unwrap();
    for args in [
        &["dlq", "show", "typo", "1"][..],
        &["dlq", "list", "--service", "typo"],
        &["dlq", "retry", "--service", "typo", "--id", "1"],
        &["dlq", "drop", "--service", "order-admin", "--yes"],
    ] {
        let said = finish(command(folder.path(), args)).await;
        assert_eq!(said.code, 5, "{args:?}: {}", said.stderr);
        assert!(said.stderr.contains("no service is called"), "{args:?}: {}", said.stderr);
        assert!(said.stderr.contains("order, payment, inventory, shipping"), "{}", said.stderr);
    }
}

#[tokio::test]
async fn a_service_that_is_down_is_named_with_the_next_step() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let folder = TempDir::new().unwrap();
    for (variable, args) in [
        ("FLOTILLA_ORDER_URL", &["order", "list"][..]),
        ("FLOTILLA_ORDER_ADMIN_URL", &["dlq", "show", "order", "1"]),
        ("FLOTILLA_REGISTRY_URL", &["schema", "check"]),
        ("FLOTILLA_REGISTRY_URL", &["schema", "register"]),
        ("FLOTILLA_REGISTRY_URL", &["schema", "list"]),
    ] {
        let mut command = command(folder.path(), args);
        command.env(variable, format!("http://{free}"));
        let said = finish(command).await;
        assert_eq!(said.code, 6, "{args:?}");
        assert!(said.stderr.contains(&free.to_string()), "{args:?}: {}", said.stderr);
        assert!(said.stderr.contains("`flotilla local up`"), "{args:?}: {}", said.stderr);
    }
}

#[tokio::test]
async fn a_port_of_a_service_that_is_taken_is_named_before_anything_is_started() {
    let folder = TempDir::new().unwrap();
    let settings = local::Settings::on_free_ports(folder.path()).unwrap();
    let _taken = TcpListener::bind(("127.0.0.1", settings.ports.get("shipping-admin"))).unwrap();
    let mut command = command(folder.path(), &["local", "up"]);
    command.env("FLOTILLA_BASE_PORT", settings.ports.base().to_string());
    let said = finish(command).await;
    assert_eq!(said.code, 1);
    assert!(said.stderr.contains("which shipping-admin needs"), "{}", said.stderr);
    assert!(!folder.path().join("run").exists(), "a server was started");
}

#[tokio::test]
async fn an_error_is_json_where_json_is_asked_for() {
    let folder = TempDir::new().unwrap();
    let said = finish(command(folder.path(), &["--json", "order", "list"])).await;
    let error: serde_json::Value = serde_json::from_str(&said.stderr).unwrap();
    assert!(error["error"].as_str().unwrap().contains("there is no fleet in"), "{error}");
    assert_eq!((said.code, &error["code"]), (5, &5.into()));
    assert_eq!(said.stdout, "");
}

#[tokio::test]
async fn completions_of_every_shell_know_the_commands() {
    let folder = TempDir::new().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let said = finish(command(folder.path(), &["completions", shell])).await;
        assert_eq!(said.code, 0, "{}", said.stderr);
        assert!(said.stdout.contains("dlq") && said.stdout.contains("audit"), "{shell}");
    }
}

#[tokio::test]
async fn the_status_lists_every_process_and_says_that_services_are_down() {
    let said = flotilla(&["--json", "local", "status"]).await;
    let ready = |name: &str| {
        let found = said.list("processes").into_iter().find(|document| document["name"] == name);
        found.unwrap()["ready"].clone()
    };
    assert_eq!(said.code, 3);
    assert_eq!((ready("kafka"), ready("order")), (true.into(), false.into()));
}
