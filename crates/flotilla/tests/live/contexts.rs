//! `flotilla context`, and what commands make of one.

use std::os::unix::fs::PermissionsExt;

use crate::program::Fleet;

pub(crate) fn say_where_a_fleet_is_and_protect_it(fleet: &Fleet) {
    let port = |name: &str| fleet.settings.ports.get(name);
    let (kafka, registry) = (port("kafka"), port("registry"));
    fleet.ok("context show").says("context local").says("the fleet of this machine");
    fleet.run("order list --context prod").with_code(5).complains("no context is called prod");
    fleet.ok(&format!("context set prod --brokers 127.0.0.1:{kafka} --with none"));
    let asked = fleet.run("order list --context prod").with_code(5);
    asked.complains("context prod does not say where that is").complains("--url order=ADDRESS");
    fleet.ok(&format!(
        "context set prod --registry-url http://127.0.0.1:{registry}/apis/ccompat/v7 \
         --url order=http://127.0.0.1:{} --url inventory=http://127.0.0.1:{} \
         --admin-url order=http://127.0.0.1:{}",
        port("order"),
        port("inventory"),
        port("order-admin"),
    ));
    fleet
        .run("context set prod --url nobody=http://x")
        .with_code(2)
        .complains("no service is called");
    fleet.run("context set local --brokers x:1").with_code(2).complains("choose another name");
    let file = fleet.root().join("config/flotilla/contexts.json");
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);

    fleet.ok("order list --context prod").says("anne");
    fleet.ok("events tail --until-end --context prod --topic order.events").says("OrderPlaced");
    a_protected_one_asks(fleet);

    fleet.ok("context use prod").says("about prod from now on");
    fleet.ok("context list").says("* prod").says("protected");
    fleet.ok("order list").says("anne");
    fleet.run("audit").with_code(1).complains("--context local");
    let shown = fleet.ok("context show").says("context prod, by flotilla context use, protected");
    shown.says(&format!("http://127.0.0.1:{}", port("order")));
    the_environment_wins(fleet);
    fleet.ok("context use local");
    fleet.ok("context list").says("* local");
    fleet.ok("context remove prod").says("forgotten");
    fleet.run("context remove prod").with_code(5).complains("flotilla context list");
    fleet.run("context use prod").with_code(5).complains("no context is called prod");
}

fn a_protected_one_asks(fleet: &Fleet) {
    fleet.ok("context set prod --protected true");
    let change = "stock set guarded Guarded 100 --context prod";
    fleet
        .run(change)
        .with_code(4)
        .complains("context prod is protected")
        .complains("--yes-on prod");
    fleet.run(&format!("{change} --yes-on test")).with_code(4).complains("--yes-on names test");
    fleet.run("topics apply --context prod").with_code(4).complains("is protected");
    fleet
        .run("events replay order.events --context prod --yes")
        .with_code(4)
        .complains("is protected");
    fleet.ok(&format!("{change} --yes-on prod")).says("guarded");
    // What only looks is never asked about.
    fleet.ok("stock list --context prod").says("guarded");
}

fn the_environment_wins(fleet: &Fleet) {
    let run = |line: &str, name: &str, value: &str| {
        let output = fleet.command().args(line.split(' ')).env(name, value).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, said) = run("context show", "FLOTILLA_ORDER_URL", "http://elsewhere:1");
    assert!(code == Some(0) && said.contains("http://elsewhere:1"), "{said}");
    assert!(said.lines().any(|line| line.ends_with("FLOTILLA_ORDER_URL")), "{said}");
    let (code, _) = run("order list", "FLOTILLA_ORDER_URL", "http://127.0.0.1:1");
    assert_eq!(code, Some(6));
    let (_, said) = run("context show", "FLOTILLA_CONTEXT", "local");
    assert!(said.starts_with("context local"), "{said}");
}
