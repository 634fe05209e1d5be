//! `flotilla local`: the fleet's own life, from the demo to the end.

use std::io::ErrorKind;
use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use local::Process;
use local::testing::processes_of;

use crate::program::{Fleet, said};

/// A deadline of two seconds for everything at once, and what a busy machine adds.
const STATUS_MAX: Duration = Duration::from_secs(15);
/// Less than the deadline after which a process is killed that does not stop.
const DOWN_MAX: Duration = Duration::from_secs(24);

/// The demo is the first thing that anybody runs; what it suggests is run as it stands there.
pub(crate) fn is_begun(fleet: &Fleet) {
    fleet.ok("local doctor").says("Postgres server");
    two_start_it_at_once(fleet);
    let demo = fleet.ok("local demo");
    let ends = ["completed", "cancelled", "short: kettle", "returned"];
    let demo = ends.iter().fold(demo, |demo, end| demo.says(end));
    let suggested = demo.stdout.lines().skip_while(|line| *line != "to try next").skip(1);
    let suggested: Vec<&str> =
        suggested.filter_map(|l| l.trim().strip_prefix("./x flotilla ")).collect();
    assert!(suggested.len() >= 6, "{}", demo.stdout);
    for line in suggested {
        match line {
            "events tail" => {
                let stir = || _ = fleet.ok("stock adjust tea 1");
                fleet.until(line, "StockItemChanged", stir);
            }
            line => _ = fleet.ok(line),
        }
    }
    let unasked = fleet.run("local up --with order").with_code(1);
    unasked.complains("order is not started on request; these are: loyalty");
    fleet.ok("local up --with none").says("the fleet");
    let status = fleet.ok("local status");
    for name in ["postgres-order", "kafka", "registry", "sandbox", "shipping"] {
        assert!(status.stdout.contains(name), "{name}: {}", status.stdout);
    }
}

/// The first start chooses the ports; the second command finds what the first one started.
fn two_start_it_at_once(fleet: &Fleet) {
    let base = fleet.settings.ports.base();
    thread::scope(|scope| {
        let mut up = fleet.command();
        up.env("FLOTILLA_BASE_PORT", base.to_string()).args(["local", "up"]);
        let first = scope.spawn(move || said("local up", &mut up).with_code(0).says("the fleet"));
        fleet.run_on_ports_from(base, "local up").with_code(0).says("the fleet");
        first.join().unwrap();
    });
}

/// Commands go to the fleet of their state folder or to nobody, whatever listens on its ports.
fn another_fleet_gets_no_command(fleet: &Fleet) {
    let port = fleet.settings.ports.get("order");
    let other = TcpListener::bind(("127.0.0.1", port)).unwrap();
    other.set_nonblocking(true).unwrap();
    for line in
        ["order list", "stock list", "dlq list", "events tail", "topics list", "schema list"]
    {
        fleet.run(line).with_code(6).complains("does not run in").complains("`flotilla local up`");
    }
    assert_eq!(other.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
}

/// A frozen process cannot say anything, and hears that it is to stop only once it goes on.
fn frozen_processes_hold_nobody_up(fleet: &Fleet) {
    let freeze = || {
        for name in ["shipping", "kafka"] {
            Process::find(&fleet.settings, name).unwrap().signal("STOP").unwrap();
        }
    };
    freeze();
    fleet.ok("local up");
    fleet.ok("local status");
    freeze();
    let started = Instant::now();
    let status = fleet.run("local status").with_code(3).says("frozen").says("kill -CONT");
    assert!(started.elapsed() < STATUS_MAX, "{:?}: {}", started.elapsed(), status.stdout);
    let started = Instant::now();
    fleet.ok("local down");
    assert!(started.elapsed() < DOWN_MAX, "{:?}", started.elapsed());
}

pub(crate) fn is_looked_at_stopped_and_forgotten(fleet: &Fleet) {
    fleet.run("local logs nobody").with_code(5).complains("there are: postgres-order");
    fleet.ok("local logs kafka").says("Kafka Server started");
    fleet.until("local logs kafka --follow", "Kafka Server started", || ());
    fleet.ok("completions bash").says("dlq");
    fleet.ok("man").says(".TH flotilla 1");
    fleet.ok("man --markdown").says("## Exit codes");
    let pages = tempfile::TempDir::new().unwrap();
    fleet.run_in(pages.path(), "man pages").with_code(0).says("pages are in pages");
    assert!(pages.path().join("pages/flotilla-events-tail.1").exists());

    let stale = fleet.settings.ports.base() + 1000;
    for line in ["order list", "local status", "audit"] {
        let said = fleet.run_on_ports_from(stale, line).with_code(1);
        said.complains(&format!("FLOTILLA_BASE_PORT={stale}")).complains("FLOTILLA_STATE");
    }
    frozen_processes_hold_nobody_up(fleet);
    fleet.run("local status").with_code(3).says("down");
    another_fleet_gets_no_command(fleet);
    // The second start finds what the first one left, whatever the folder is called.
    fleet.x("up").with_code(0).says("to try next");
    fleet.ok("order list --customer demo").says("returned");
    fleet.ok("audit");
    fleet.x("down").with_code(0);
    fleet.run("local status").with_code(3).says("down");
    fleet.ok("local reset");
    fleet.run("local status").with_code(5).complains("there is no fleet in");
    assert_eq!(processes_of(fleet.root()), [0; 0], "{}", fleet.root().display());
}
