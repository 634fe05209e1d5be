//! The floor, as a table for people and as JSON.

use std::fmt::{self, Display, Formatter};

use serde::Serialize;

use super::Options;
use super::broker::Traffic;
use super::database::{Database, Work};
use super::fixed::{Cost, Fixed};
use crate::report::{write_line, write_row};

/// Everything that was measured.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    pub plan: Options,
    /// Cores that this process and its servers may use.
    pub cores: usize,
    pub batches: Vec<Batch>,
    pub fixed: Fixed,
}

/// Each part at one batch size.
#[derive(Debug, Clone, Serialize)]
pub struct Batch {
    pub orders: usize,
    pub work: Work,
    pub traffic: Traffic,
}

impl Report {
    pub(super) fn new(options: &Options, batches: Vec<Batch>, fixed: Fixed) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Report { plan: options.clone(), cores, batches, fixed }
    }

    /// One figure for every size.
    fn cells(&self, of: impl Fn(&Batch) -> String) -> Vec<String> {
        self.batches.iter().map(of).collect()
    }

    fn write_cpu(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write_row(f, "CPU us/order, batch of", &self.cells(|batch| batch.orders.to_string()))?;
        for (index, name) in local::SERVICES.into_iter().enumerate() {
            let cells = self.cells(|b| us(b.work.databases[index].cpu_us_per_order));
            write_line(f, &format!("postgres-{name}"), &cells)?;
        }
        let postgres = self.cells(|batch| us(batch.work.sum(|db| db.cpu_us_per_order)));
        write_line(f, "postgres", &postgres)?;
        let services = self.cells(|batch| us(batch.work.services_us_per_order));
        write_line(f, "services' own work", &services)?;
        write_line(f, "kafka", &self.cells(|batch| us(batch.traffic.broker_us_per_order)))?;
        write_line(f, "kafka's clients", &self.cells(|b| us(b.traffic.clients_us_per_order)))
    }

    fn write_counts(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write_row(f, "per order, batch of", &self.cells(|batch| batch.orders.to_string()))?;
        let commits = |b: &Batch| format!("{:.3}", b.work.sum(|db| db.commits_per_order));
        write_line(f, "commits", &self.cells(commits))?;
        let wal = |batch: &Batch| format!("{:.0}", batch.work.sum(|db| db.wal_bytes_per_order));
        write_line(f, "WAL B", &self.cells(wal))?;
        let traffic = |name, of: fn(&Traffic) -> f64| {
            (name, self.cells(|batch| format!("{:.3}", of(&batch.traffic))))
        };
        for (name, cells) in [
            traffic("records", |traffic| traffic.records_per_order),
            traffic("produces", |traffic| traffic.produce_requests_per_order),
            traffic("fetches", |traffic| traffic.fetch_requests_per_order),
        ] {
            write_line(f, name, &cells)?;
        }
        Ok(())
    }
}

impl Work {
    fn sum(&self, of: fn(&Database) -> f64) -> f64 {
        self.databases.iter().map(of).sum()
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Options { seconds, warmup, .. } = self.plan;
        writeln!(f, "each part alone, {seconds} s each, Kafka after {warmup} s of warm-up")?;
        writeln!(f, "{} cores", self.cores)?;
        self.write_cpu(f)?;
        self.write_counts(f)?;
        let heads = ["Postgres us", "client us", "took us"];
        write_row(f, "fixed", &heads.map(str::to_owned))?;
        for (name, cost) in
            [("empty round trip", &self.fixed.round_trip), ("smallest commit", &self.fixed.commit)]
        {
            let Cost { postgres_us, client_us, took_us } = cost;
            write_line(f, name, &[postgres_us, client_us, took_us].map(|cost| us(*cost)))?;
        }
        Ok(())
    }
}

fn us(figure: f64) -> String {
    format!("{figure:.1}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let database = |name| Database {
            name,
            cpu_us_per_order: 10.0,
            commits_per_order: 0.5,
            wal_bytes_per_order: 100.0,
        };
        let batch = |orders: usize| Batch {
            orders,
            work: Work {
                orders: orders as f64,
                orders_per_second: 1.0,
                services_us_per_order: 1_000.0 / orders as f64,
                databases: local::SERVICES.map(database).to_vec(),
            },
            traffic: Traffic {
                orders: 1.0,
                orders_per_second: 1.0,
                broker_us_per_order: 7.0,
                clients_us_per_order: 8.0,
                records_per_order: 8.0,
                produce_requests_per_order: 8.0 / orders as f64,
                fetch_requests_per_order: 16.0,
            },
        };
        let cost = |us| Cost { postgres_us: us, client_us: 2.0, took_us: 3.0 };
        let fixed = Fixed { round_trip: cost(1.0), commit: cost(90.0) };
        let options = Options { seconds: 5.0, warmup: 45.0, json: None };
        Report::new(&options, [1, 16, 256].map(batch).to_vec(), fixed)
    }

    #[test]
    fn the_table_has_a_column_for_each_size_and_adds_the_databases_up() {
        let text = report().to_string();
        let line = |name: &str| -> Vec<&str> {
            let found = text.lines().find(|line: &&str| line.starts_with(name));
            found.unwrap()[name.len()..].split_whitespace().collect()
        };
        assert_eq!(line("CPU us/order, batch of"), ["1", "16", "256"]);
        assert_eq!(line("postgres-order"), ["10.0", "10.0", "10.0"]);
        assert_eq!(line("postgres "), ["40.0", "40.0", "40.0"]);
        assert_eq!(line("services' own work"), ["1000.0", "62.5", "3.9"]);
        assert_eq!(line("kafka's clients"), ["8.0", "8.0", "8.0"]);
        assert_eq!(line("produces"), ["8.000", "0.500", "0.031"]);
        assert_eq!(line("commits"), ["2.000", "2.000", "2.000"]);
        assert_eq!(line("smallest commit"), ["90.0", "2.0", "3.0"]);
    }

    #[test]
    fn the_file_says_what_was_asked_for() {
        let json = serde_json::to_value(report()).unwrap();
        assert_eq!(json["plan"], serde_json::json!({ "seconds": 5.0, "warmup": 45.0 }));
        assert_eq!(json["batches"][2]["orders"], 256);
    }
}
