//! A report from two samples with known differences.

use std::time::Instant;

use uuid::Uuid;

use super::*;
use crate::ends::{End, Ends, Outcome};
use crate::fleet;
use crate::gate::Gate;
use crate::generator::Requests;
use crate::process::Machine;
use crate::{metrics, postgres};

fn fleet() -> Fleet {
    let address = "127.0.0.1:1".parse().unwrap();
    let replica = fleet::Replica { http: address, admin: address };
    let process = |name: &str, part| Process { name: name.to_owned(), part, pid: 1 };
    Fleet {
        brokers: String::new(),
        partitions: 1,
        services: vec![fleet::Service { name: "order".to_owned(), replicas: vec![replica] }],
        databases: vec![fleet::Database { name: "order".to_owned(), url: String::new() }],
        processes: vec![process("order", Part::Services), process("payment", Part::Services)],
    }
}

fn plan() -> Plan {
    Plan {
        arrival: Arrival::InFlight(2),
        warmup_seconds: 0.0,
        seconds: 10.0,
        skus: 1,
        lines: 1,
        connections: 1,
    }
}

/// Ten seconds in which 1,000 orders were completed; every counter grows by 500 for each order.
fn report(failed: bool) -> Report {
    let begin = Instant::now();
    let generator = Generator {
        gate: Gate::new(plan().arrival),
        ends: Ends::new(plan().window_from(begin)),
        requests: Requests::default(),
    };
    generator.ends.intended(1_001);
    for n in 0..1_000 {
        let (order, at) = (Uuid::from_u128(n), begin + Duration::from_millis(20));
        generator.ends.accepted(order, begin, at);
        generator.ends.ended(&[End { order, at, outcome: Outcome::Completed }]);
    }
    if failed {
        *generator.requests.first_failure.lock().unwrap() = Some("422: unknown_sku".to_owned());
        generator.ends.failed();
    }
    let sample = |n: u32| {
        let counted = f64::from(n) * 500.0;
        Sample {
            at: begin + Duration::from_secs(10) * n,
            completed: u64::from(n) * 1_000,
            machine: Machine {
                busy: Duration::from_secs(15) * n,
                stolen: Duration::from_secs(1) * n,
            },
            cpu: vec![Duration::from_secs(5) * n, Duration::from_secs(2) * n],
            services: vec![metrics::Counters {
                batches: counted,
                inputs: counted * 4.0,
                flushes: counted,
                published: counted * 3.0,
                produce_requests: counted * 5.0,
                fetch_requests: counted * 6.0,
                ..metrics::Counters::default()
            }],
            databases: vec![postgres::Counters {
                commits: counted,
                rows: counted * 2.0,
                wal_bytes: counted * 8.0,
            }],
        }
    };
    let memory = vec![Memory { bytes: 3 << 20, peak_bytes: Some(4 << 20) }; 2];
    let measured = Measured { generator: &generator, before: sample(0), after: sample(1), memory };
    Report::of(&fleet(), &plan(), &measured).unwrap()
}

#[test]
fn everything_is_divided_by_the_orders_completed() {
    let report = report(false);
    assert_eq!(report.completed_per_second, 100.0);
    assert_eq!((report.cores_busy, report.cores_stolen), (1.5, 0.1));
    let cpu: Vec<f64> = report.processes.iter().map(|usage| usage.cpu_us_per_order).collect();
    assert_eq!(cpu, [5_000.0, 2_000.0]);
    assert_eq!(report.parts.len(), 1);
    assert_eq!(report.parts[0].cpu_us_per_order, 7_000.0);
    assert_eq!(report.parts[0].memory_mib, 6.0);
    let service = &report.services[0];
    assert_eq!((service.inputs_per_batch, service.batches_per_order), (4.0, 0.5));
    assert_eq!((service.messages_per_flush, service.flushes_per_order), (3.0, 0.5));
    let requests = (service.produce_requests_per_order, service.fetch_requests_per_order);
    assert_eq!(requests, (2.5, 3.0));
    let database = &report.databases[0];
    assert_eq!((database.rows_per_order, database.wal_bytes_per_order), (1.0, 4.0));
    assert!(report.corrected.is_some());
}

#[test]
fn a_run_with_orders_that_failed_or_did_not_end_does_not_count() {
    assert_eq!(report(false).objections(), ["1 orders did not end in time"]);
    let objections = report(true).objections();
    assert_eq!(objections, ["1 orders were refused", "first refusal: 422: unknown_sku"]);
}

#[test]
fn the_table_shows_each_process_and_the_json_holds_the_same() {
    let report = report(true);
    let text = report.to_string();
    for expected in
        ["100 completed sagas/s", "placed to completed *", "payment", "2000.0", "2.500", "422"]
    {
        assert!(text.contains(expected), "{expected} is missing in\n{text}");
    }
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["completed_per_second"], 100.0);
    assert_eq!(json["plan"]["arrival"]["in_flight"], 2);
    assert_eq!(json["processes"][0]["name"], "order");
}

#[test]
fn the_picture_has_a_title_axes_with_units_a_legend_and_every_process() {
    let picture = crate::chart::draw(&report(false), "throughput: 100 completed sagas/s").unwrap();
    for expected in [
        "throughput: 100 completed sagas/s",
        "closed loop, 2 orders in flight",
        "seconds of the window",
        "orders/s",
        "placed to completed, p99",
        "CPU per completed order by process, 7000 us in all",
        "payment",
    ] {
        assert!(picture.contains(expected), "{expected} is missing in\n{picture}");
    }
    assert!(!picture.contains("Kafka away"));
}
