//! `flotilla local`: the fleet's own life, from the demo to the end.

use crate::program::{Fleet, clean, said};

/// The demo is the first thing that anybody runs; what it suggests is run as it stands there.
pub(crate) fn is_begun(fleet: &Fleet) {
    fleet.ok("local doctor").says("Postgres server");
    let demo = fleet.run_on_own_ports("local demo").with_code(0);
    let ends = ["completed", "cancelled", "short: kettle", "returned"];
    let demo = ends.iter().fold(demo, |demo, end| demo.says(end));
    let suggested = demo.stdout.lines().skip_while(|line| *line != "to try next").skip(1);
    let suggested: Vec<&str> =
        suggested.filter_map(|l| l.trim().strip_prefix("flotilla ")).collect();
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
    fleet.ok("local up").says("the fleet");
    let status = fleet.ok("local status");
    for name in ["postgres-order", "kafka", "registry", "sandbox", "shipping"] {
        assert!(status.stdout.contains(name), "{name}: {}", status.stdout);
    }
}

pub(crate) fn is_looked_at_stopped_and_forgotten(fleet: &Fleet) {
    fleet.run("local logs nobody").with_code(1).complains("there are: postgres-order");
    fleet.ok("local logs kafka").says("Kafka Server started");
    fleet.until("local logs kafka --follow", "Kafka Server started", || ());
    fleet.ok("completions bash").says("dlq");

    fleet.ok("local down");
    fleet.run("local status").with_code(3).says("down");
    fleet.run("order list").with_code(1).complains("`flotilla local up`");
    // The second start finds what the first one left, whatever the folder is called.
    fleet.ok("local up").says("to try next");
    fleet.ok("order list --customer demo").says("returned");
    fleet.ok("audit");
    fleet.ok("local reset");
    fleet.run("local status").with_code(1).complains("there is no fleet in");
    assert!(!left_behind(fleet), "{}", fleet.root().display());
}

/// Whether a process of the machine still mentions the folder.
fn left_behind(fleet: &Fleet) -> bool {
    let folder = fleet.root().to_str().unwrap();
    let mut processes = clean(std::process::Command::new("ps"));
    said("ps", processes.args(["-eo", "args"])).stdout.contains(folder)
}
