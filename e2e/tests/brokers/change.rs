//! The benchmark's scenario of a fleet that changes, in small: here it matters that no request fails, sent by a client
//! that looks whether its connection was closed before it uses it, and not how long each takes.

use bench::plan::{Arrival, Plan};
use bench::{change, replicas, rig, stock};
use e2e::rig::REST;
use flotilla::audit;

use crate::shop_alone;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_fails_while_services_and_brokers_are_restarted_and_replicas_come_go_and_die() {
    let (shop, _alone) = shop_alone().await;
    // As a service stops by default, with a load balancer in front of it.
    let fleet = shop.fleet.with_variable("FLOTILLA_STOP_DELAY_MS", "1000");
    fleet.stop_services().await.unwrap();
    fleet.start_services().await.unwrap();
    let services = replicas::start(&fleet, 1).await.unwrap();
    let measured = rig::describe(&fleet, services, 3).unwrap();
    let plan = Plan {
        arrival: Arrival::PerSecond(10.0),
        warmup_seconds: 2.0,
        seconds: 3.0,
        skus: 20,
        lines: 1,
        connections: 8,
    };
    stock::fill(&measured, plan.skus).await.unwrap();
    let report = change::run(&fleet, &measured, &plan).await.unwrap();
    assert_eq!(report.objections(), Vec::<String>::new(), "{report}");
    let change = report.change.as_ref().unwrap();
    assert!(change.phases.iter().all(|phase| phase.complete.count > 0), "{report}");
    assert!(change.phases.iter().all(|phase| phase.reads > 0), "{report}");
    println!("{change}");
    let audit = audit::run(&fleet, REST).await.unwrap();
    assert!(audit.is_clean(), "{}", audit.broken());
}
