//! The scenarios that the command line names, and how its options change them.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use local::settings::BROKERS;
use serde::Serialize;

use crate::floor;
use crate::plan::{Arrival, Plan};

/// The default number of connections. Each waits for an answer, so with answers in 20 ms they carry 6,400
/// orders a second. Each costs the order service about 80 KiB.
const CONNECTIONS: usize = 128;
/// Seconds until Kafka has compiled most of what it uses, and each service has its prepared statements.
const WARMUP: f64 = 45.0;
/// Each holds up to eleven of the sixty connections that a local Postgres has.
const REPLICAS_MAX: u16 = 3;
/// Far more than one broker on one machine could use.
const PARTITIONS_MAX: u16 = 48;
/// The share of traces that the services record by default.
const SAMPLING: f64 = 0.01;

/// Orders in the tables before `large-tables`.
const PRELOAD: u64 = 10_000_000;
/// Each takes about 1.8 KB of disk, and has its own hundredth of a second in the past.
const PRELOAD_MAX: u64 = 100_000_000;
/// How long Kafka is away in `drain`, in seconds. An order is overdue after 900, and cancelled: a longer
/// absence would measure that.
const AWAY: f64 = 300.0;
const AWAY_MAX: f64 = 600.0;

/// Measures a fleet of its own: starts it, drives orders through it, reports what each costs.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "bench",
    args_conflicts_with_subcommands = true,
    after_help = "To measure on fewer cores: taskset -c 0,1 ./x bench"
)]
pub struct Bench {
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub options: Options,
}

#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Compare two files that --json wrote: ratios, and the range that their rounds span
    Compare { before: PathBuf, after: PathBuf },
    /// Measure what each part takes alone, in batches of 1, 16 and 256 orders
    Floor(floor::Options),
}

/// What is measured, and how.
#[derive(Debug, Clone, Args)]
pub struct Options {
    #[arg(value_enum, default_value_t = Scenario::Throughput)]
    pub scenario: Scenario,
    /// Length of the measuring window
    #[arg(long)]
    pub seconds: Option<f64>,
    /// Length of the load before the window, in seconds
    #[arg(long, value_name = "SECONDS")]
    pub warmup: Option<f64>,
    /// Closed loop with this many orders under way
    #[arg(long, value_name = "ORDERS", conflicts_with = "rate")]
    pub in_flight: Option<usize>,
    /// Open loop with this many orders a second
    #[arg(long, value_name = "ORDERS")]
    pub rate: Option<f64>,
    /// SKUs that are ordered, evenly; 1 for a hot one
    #[arg(long)]
    pub skus: Option<u32>,
    /// Lines of each order
    #[arg(long)]
    pub lines: Option<u32>,
    /// Connections to the order service
    #[arg(long, default_value_t = CONNECTIONS)]
    pub connections: usize,
    /// Replicas of every service [default: 2 in `replicas`, else 1]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=i64::from(REPLICAS_MAX)))]
    pub replicas: Option<u16>,
    /// Partitions of every topic [default: one for each replica]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=i64::from(PARTITIONS_MAX)))]
    pub partitions: Option<u16>,
    /// Nodes of Kafka, 1 or 3, with a copy of every record on each [default: 3 in `change`, else 1]
    #[arg(long)]
    pub brokers: Option<u16>,
    /// The services in one process, with their databases in one Postgres
    #[arg(long)]
    pub one_process: bool,
    /// Share of traces that `telemetry` records
    #[arg(long, value_name = "RATIO", default_value_t = SAMPLING)]
    pub sampling: f64,
    /// Completed orders that are in the tables beforehand; large-tables has 10,000,000
    #[arg(long, value_name = "ORDERS")]
    pub preload: Option<u64>,
    /// How long Kafka is away in drain
    #[arg(long, value_name = "SECONDS", default_value_t = AWAY)]
    pub away: f64,
    /// Draw throughput, latency and CPU per order
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
    /// Write the report to this file too
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Add the report to those that the file holds: a further round
    #[arg(long, requires = "json")]
    pub append: bool,
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scenario {
    /// As many orders as the fleet can do; payment provider and carrier inside the services
    Throughput,
    /// The same with payment provider and carrier over HTTP
    HttpProviders,
    /// How long orders take at a fixed rate
    Latency,
    /// As many orders as the fleet can do, all for the same item
    HotSku,
    /// As many orders as the fleet can do, of four lines each
    FourLines,
    /// As many orders as two replicas of every service can do
    Replicas,
    /// As many orders as the fleet can do while it sends traces and metrics to a collector
    Telemetry,
    /// As many orders as the fleet can do, on tables that hold millions
    LargeTables,
    /// Kafka is killed, stays away and comes back; --seconds is how long all is well before and after
    Drain,
    /// Services are restarted, replicas come, go and die, a broker is restarted; --seconds is how long nothing
    /// changes beforehand
    Change,
}

impl Options {
    /// How many replicas of every service run.
    pub fn replicas(&self) -> u16 {
        self.replicas.unwrap_or(if self.scenario == Scenario::Replicas { 2 } else { 1 })
    }

    /// How many partitions a topic has. More than replicas would only cost requests.
    pub fn partitions(&self) -> u16 {
        let replicas =
            if self.scenario == Scenario::Change { REPLICAS_MAX } else { self.replicas() };
        self.partitions.unwrap_or(replicas)
    }

    /// How many brokers there are.
    pub fn brokers(&self) -> u16 {
        self.brokers.unwrap_or(if self.scenario == Scenario::Change { 3 } else { 1 })
    }

    /// The scenario with the options applied.
    pub fn plan(&self) -> Plan {
        let full = (Arrival::InFlight(2_000), WARMUP, 60.0);
        let ((arrival, warmup_seconds, seconds), skus, lines) = match self.scenario {
            Scenario::Throughput
            | Scenario::HttpProviders
            | Scenario::Replicas
            | Scenario::Telemetry
            | Scenario::LargeTables => (full, 1_000, 1),
            Scenario::HotSku => (full, 1, 1),
            Scenario::FourLines => (full, 1_000, 4),
            Scenario::Latency => ((Arrival::PerSecond(50.0), WARMUP, 60.0), 1_000, 1),
            Scenario::Drain => ((Arrival::PerSecond(200.0), 10.0, 10.0), 1_000, 1),
            Scenario::Change => ((Arrival::PerSecond(100.0), WARMUP, 60.0), 1_000, 1),
        };
        let arrival = match (self.in_flight, self.rate) {
            (Some(orders), _) => Arrival::InFlight(orders),
            (None, Some(rate)) => Arrival::PerSecond(rate),
            (None, None) => arrival,
        };
        let connections = match arrival {
            Arrival::InFlight(orders) => self.connections.min(orders),
            Arrival::PerSecond(_) => self.connections,
        };
        Plan {
            arrival,
            warmup_seconds: self.warmup.unwrap_or(warmup_seconds),
            seconds: self.seconds.unwrap_or(seconds),
            skus: self.skus.unwrap_or(skus),
            lines: self.lines.unwrap_or(lines),
            connections,
        }
    }

    /// How many orders are in the tables beforehand.
    pub fn preload(&self) -> u64 {
        let usual = if self.scenario == Scenario::LargeTables { PRELOAD } else { 0 };
        self.preload.unwrap_or(usual)
    }

    /// Everything that makes the measurement impossible.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = self.plan().problems();
        if self.partitions() < self.replicas() {
            problems.push("a replica without a partition has no work: fewer replicas".to_owned());
        }
        if self.one_process && self.replicas() > 1 {
            problems
                .push("replicas are measured with services in processes of their own".to_owned());
        }
        if !BROKERS.contains(&self.brokers()) {
            let [one, three] = BROKERS;
            problems.push(format!("a fleet has {one} or {three} brokers"));
        }
        if self.preload() > PRELOAD_MAX {
            problems.push(format!("at most {PRELOAD_MAX} orders can be loaded beforehand"));
        }
        if !(self.away > 0.0 && self.away <= AWAY_MAX) {
            problems.push(format!("Kafka can be away for at most {AWAY_MAX} seconds"));
        }
        if self.scenario == Scenario::Drain && self.in_flight.is_some() {
            problems.push("while Kafka is away no order ends: drain needs a rate".to_owned());
        }
        if self.scenario == Scenario::Drain && self.brokers() > 1 {
            problems.push("drain kills the one broker there is: fewer brokers".to_owned());
        }
        problems.extend(self.problems_of_change());
        problems
    }
}

impl Options {
    fn problems_of_change(&self) -> Vec<String> {
        if self.scenario != Scenario::Change {
            return Vec::new();
        }
        let problems = [
            (
                self.in_flight.is_some(),
                "a load that waits for slow orders hides them: change needs a rate",
            ),
            (self.replicas() > 1, "change begins with one replica and adds others by itself"),
            (self.one_process, "change restarts one service after the other"),
            (self.brokers() < 3, "change restarts one of three brokers: no other number"),
            (self.partitions() < REPLICAS_MAX, "change has three replicas: more partitions"),
        ];
        let found = problems.into_iter().filter(|(holds, _)| *holds);
        found.map(|(_, problem)| problem.to_owned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(line: &str) -> Options {
        Bench::try_parse_from(line.split(' ')).unwrap().options
    }

    #[test]
    fn options_change_what_the_scenario_names() {
        let plan = options("bench").plan();
        assert_eq!(plan.arrival, Arrival::InFlight(2_000));
        assert_eq!((plan.warmup_seconds, plan.seconds, plan.connections), (45.0, 60.0, 128));
        let options = options("bench latency --rate 500 --skus 1 --seconds 5");
        let plan = options.plan();
        assert_eq!((plan.arrival, plan.skus, plan.seconds), (Arrival::PerSecond(500.0), 1, 5.0));
        assert!(options.problems().is_empty());
    }

    #[test]
    fn only_large_tables_are_filled_beforehand_unless_somebody_asks() {
        assert_eq!(options("bench").preload(), 0);
        assert_eq!(options("bench large-tables").preload(), 10_000_000);
        assert_eq!(options("bench latency --preload 5").preload(), 5);
        assert_eq!(options("bench --preload 100000001").problems().len(), 1);
    }

    #[test]
    fn kafka_is_away_from_a_load_that_does_not_wait_for_it() {
        let options = |line| options(line).problems();
        assert!(options("bench drain --away 2 --rate 50").is_empty());
        assert_eq!(options("bench drain --away 601 --in-flight 7").len(), 2);
    }

    #[test]
    fn a_fleet_that_changes_has_three_brokers_and_begins_with_one_replica() {
        let change = options("bench change");
        assert_eq!((change.brokers(), change.partitions(), change.replicas()), (3, 3, 1));
        assert!(change.problems().is_empty());
        let line = "bench change --in-flight 7 --replicas 2 --one-process --partitions 2";
        assert_eq!(options(line).problems().len(), 5);
        assert_eq!(options("bench change --brokers 1").problems().len(), 1);
        assert_eq!(options("bench").brokers(), 1);
        assert_eq!(options("bench drain --brokers 3").problems().len(), 1);
    }

    #[test]
    fn a_number_of_brokers_that_no_fleet_can_have_is_refused_before_anything_is_touched() {
        for (brokers, problems) in [(1, 0), (2, 1), (3, 0), (4, 1)] {
            let line = format!("bench --brokers {brokers}");
            assert_eq!(options(&line).problems().len(), problems, "{line}");
        }
    }

    #[test]
    fn every_scenario_may_have_replicas_and_one_has_them_unasked() {
        assert_eq!(options("bench").replicas(), 1);
        assert_eq!(options("bench replicas").replicas(), 2);
        assert_eq!(options("bench latency --replicas 3").replicas(), 3);
        assert!(Bench::try_parse_from(["bench", "--replicas", "4"]).is_err());
    }

    #[test]
    fn services_in_one_process_have_no_replicas() {
        assert!(options("bench --one-process").problems().is_empty());
        assert_eq!(options("bench replicas --one-process").problems().len(), 1);
    }

    #[test]
    fn every_replica_has_a_partition_of_each_topic() {
        assert_eq!(options("bench").partitions(), 1);
        assert_eq!(options("bench replicas").partitions(), 2);
        assert_eq!(options("bench --partitions 3").partitions(), 3);
        assert_eq!(options("bench replicas --partitions 1").problems().len(), 1);
    }

    #[test]
    fn no_more_connections_than_orders_in_flight() {
        assert_eq!(options("bench --in-flight 3").plan().connections, 3);
        assert_eq!(options("bench --lines 0").plan().problems().len(), 1);
        assert!(Bench::try_parse_from(["bench", "--in-flight", "3", "--rate", "5"]).is_err());
        assert!(Bench::try_parse_from(["bench", "--append"]).is_err());
    }
}
