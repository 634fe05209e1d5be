//! Every scenario of the load benchmark for a few seconds: that it works, never how fast. On servers of its
//! own, as the benchmark has; they are started once, and each scenario starts the services that it wants.

#![allow(clippy::unwrap_used, reason = "a scenario that cannot go on should say where")]

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use bench::compare::{Comparison, add_round};
use bench::floor::{self, Batch};
use bench::rig::Rig;
use bench::scenario::{Bench, Command, Options, Scenario};
use clap::{Parser, ValueEnum};
use flotilla::audit;
use local::Settings;
use local::testing::Servers;

/// The scenarios, each with what makes it small. The first finds empty tables: with the sandbox, the audit
/// compares all payments with its ledger, and the others' are not in it. The last leaves orders that are on
/// no topic.
const SCENARIOS: [&str; 9] = [
    "http-providers --in-flight 50 --skus 20",
    "throughput --in-flight 50 --skus 20",
    "latency --rate 50 --skus 20",
    "hot-sku --in-flight 50",
    "four-lines --in-flight 50 --skus 20",
    "replicas --in-flight 50 --skus 20",
    "telemetry --in-flight 50 --skus 20 --sampling 1",
    "drain --rate 50 --skus 20 --away 2",
    "large-tables --in-flight 50 --skus 20 --preload 20000",
];
/// Needs three brokers, and is tried on those of e2e's program `brokers`.
const ELSEWHERE: &str = "change";
/// How long the fleet may take to come to rest.
const REST: Duration = Duration::from_secs(60);

/// All use the topics that the first one makes: with a partition for each replica of any.
fn options(scenario: &str) -> Options {
    let line = format!("bench {scenario} --partitions 2 --warmup 0.5 --seconds 4");
    Bench::try_parse_from(line.split(' ')).unwrap().options
}

fn name(scenario: &str) -> &str {
    scenario.split(' ').next().unwrap()
}

#[test]
fn no_scenario_is_left_out() {
    let tried: BTreeSet<&str> = SCENARIOS.into_iter().map(name).chain([ELSEWHERE]).collect();
    let all = Scenario::value_variants().iter().map(|scenario| scenario.to_possible_value());
    let all: Vec<_> = all.flatten().collect();
    assert_eq!(tried, all.iter().map(|scenario| scenario.get_name()).collect());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_scenario_completes_orders_and_leaves_books_that_agree() {
    let servers = Servers::own().await.unwrap();
    let settings = servers.environment().settings();
    let mut reports = HashMap::new();
    for scenario in SCENARIOS {
        reports.insert(name(scenario), Box::pin(try_out(settings.clone(), scenario)).await);
    }
    let compared =
        |after| Comparison::of(&reports["throughput"], &reports[after]).unwrap().to_string();
    let replicas = compared("replicas");
    assert!(replicas.contains("asked for differently: replicas 1 and 2\n"), "{replicas}");
    let telemetry = compared("telemetry");
    assert!(
        telemetry.contains("asked for differently: telemetry's sampling none and 1.0\n"),
        "{telemetry}"
    );
    try_out_the_floor(settings.clone()).await;
}

/// It leaves databases with which no fleet can go on.
async fn try_out_the_floor(settings: Settings) {
    let line = ["bench", "floor", "--seconds", "0.5", "--warmup", "0.5"];
    let Some(Command::Floor(options)) = Bench::try_parse_from(line).unwrap().command else {
        panic!("another command was parsed")
    };
    let report = floor::measure(settings, &options, local::silent).await.unwrap();
    for batch in &report.batches {
        let databases = batch.work.databases.iter();
        assert!(databases.clone().all(|database| database.commits_per_order > 0.0), "{report}");
        // Eight facts, each published once and, four of them by order, heard by three groups.
        assert_eq!(batch.traffic.records_per_order, 8.0, "{report}");
        assert!(batch.traffic.produce_requests_per_order > 0.0, "{report}");
        assert!(batch.traffic.fetch_requests_per_order > 0.0, "{report}");
    }
    let [one, _, many] = &report.batches[..] else { panic!("three sizes: {report}") };
    let requests = |batch: &Batch| batch.traffic.produce_requests_per_order;
    assert!(requests(one) > 4.0 * requests(many), "{report}");
}

/// Returns its report as a file would hold it.
async fn try_out(settings: Settings, scenario: &str) -> String {
    let options = options(scenario);
    let rig = Rig::start(settings, &options, &local::silent).await.unwrap();
    let report = rig.measure(&options).await.unwrap();
    assert!(report.completed_per_second > 0.0, "{scenario}:\n{report}");
    assert_eq!(report.objections(), Vec::<String>::new(), "{scenario}:\n{report}");
    let processes: Vec<&str> = report.processes.iter().map(|p| p.name.as_str()).collect();
    assert_eq!(processes.contains(&"order-2"), options.replicas() > 1, "{processes:?}");
    assert_eq!(report.telemetry.is_some(), options.scenario == Scenario::Telemetry);
    let audit = rig.audit(REST).await.unwrap();
    assert!(audit.is_clean(), "{scenario}:\n{}", audit.broken());
    if options.preload() > 0 {
        // What was loaded is on no topic, and nothing but where the audit began kept it from saying so.
        let all = audit::run(&rig.fleet, Duration::ZERO).await.unwrap();
        assert!(all.broken().contains("topics hold"), "{scenario}:\n{}", all.broken());
    }
    rig.stop().await.unwrap();
    add_round(None, serde_json::to_value(&report).unwrap()).unwrap()
}
